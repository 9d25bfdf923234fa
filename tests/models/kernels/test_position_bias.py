"""Models whose scores carry a bias of positions: our own attention leaves them to torch's."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")


@pytest.mark.slow
def test_a_bias_of_positions_reaches_the_scores() -> None:
    from luthier.models.kernels.attention import _for_transformers

    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 2, 5, 8, generator=generator) for _ in range(3))
    bias = torch.randn(1, 2, 5, 5, generator=generator)
    module = torch.nn.Module()
    module.is_causal = False
    found, _ = _for_transformers(module, query, key, value, None, scaling=1.0, position_bias=bias)
    expected = (torch.softmax(query @ key.transpose(2, 3) + bias, -1) @ value).transpose(1, 2)
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_a_t5_gives_the_same_scores() -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    from luthier.models.kernels import installed

    torch.manual_seed(0)
    model = T5ForConditionalGeneration(T5Config(
        vocab_size=300, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, dropout_rate=0.0,
        decoder_start_token_id=0)).eval()
    ids = torch.arange(2, 14).view(2, 6)
    with torch.inference_mode():
        plain = model(input_ids=ids, decoder_input_ids=ids).logits
        with installed(model, device="cpu", precision="fp32") as parts:
            own = model(input_ids=ids, decoder_input_ids=ids).logits
    assert torch.allclose(plain, own, atol=1e-5)
    assert "configurations of their own" in parts.decisions["attention"].reason

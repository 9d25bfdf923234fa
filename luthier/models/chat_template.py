"""Chat templates: how a model writes a conversation down as one text, in the Jinja of its tokenizer's files.

Rendered as transformers renders them, in Jinja's sandbox, without importing transformers. ``strftime_now`` is left out:
a prompt that changes by the day can be neither learned nor replayed. Templates that ask for it take a fixed date then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from luthier.errors import DataError, ModelError
from luthier.plugins import require
from luthier.schema import Conversation, Turn

PLAIN = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\\n' }}"
    "{% else %}{{ 'Assistant: ' + message['content'] + eos_token + '\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
"""For models that bring no template: ``User: …``, ``Assistant: …`` and the model's own end token."""
BARE = (
    "{% for message in messages %}{{ message['content'] }}{% if message['role'] == 'assistant' %}"
    "{{ eos_token if loop.last else '\\n\\n' }}{% endif %}{% endfor %}"
)
"""For prompts that stand as they are: what is written follows at once, examples are apart by an empty line."""
_BEGIN = "{{ bos_token }}"
"""Stands before ``PLAIN`` where the tokenizer begins every text with that token."""
_MARK = "LUTHIERANSWER"


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A template, and what it puts around an answer."""

    source: str
    """In Jinja."""
    special: Mapping[str, str]
    """The tokens that the template may name, such as ``eos_token``."""
    lead: str
    """What stands between the prompt and an answer, such as a space; mostly nothing."""
    end: str
    """What ends an answer: all behind it up to the token that ends a turn, with it."""
    tail: str
    """All that stands behind an answer."""

    @classmethod
    def of(cls, source: str, special: Mapping[str, str], ends: Sequence[str]) -> ChatTemplate:
        """Find out what a template puts around an answer.

        Args:
            source: in Jinja.
            special: the tokens that it may name.
            ends: tokens that are no words, such as ``<|im_end|>``.

        Raises:
            ModelError: it cannot be rendered, or ends no answer with a token of its own.
        """
        raw = cls(source, special, "", "", "")
        asked = Conversation((Turn("user", "a"),))
        fix = "set task.chat_template=plain, which writes conversations in a way of our own"
        try:
            prompt, whole = raw.render(asked, answering=True), raw.render(asked.answered(_MARK))
        except DataError as error:
            raise ModelError(f"the model's chat template cannot be used: {error.problem}", fix) from None
        before, found, tail = whole.partition(_MARK)
        if not found or not before.startswith(prompt):
            raise ModelError("the model's chat template writes an answer down otherwise than it asks for one", fix)
        places = [tail.index(token) + len(token) for token in ends if token and token in tail]
        if not places:
            raise ModelError("the model's chat template ends no answer with a token of its own, so a model cannot "
                             "learn where to stop", fix)
        return cls(source, special, before[len(prompt):], tail[: min(places)], tail)

    def render(self, conversation: Conversation, *, answering: bool = False) -> str:
        """Return the conversation as the model's text.

        Args:
            conversation: any turns.
            answering: end with what asks for an answer.

        Raises:
            DataError: the template refuses the conversation.
        """
        from jinja2 import TemplateError

        try:
            return str(_compiled(self.source).render(messages=conversation.messages, tools=None, documents=None,
                                                     add_generation_prompt=answering, **self.special))
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            raise DataError(f"the chat template refuses the conversation: {error}",
                            "mend the conversation or leave it out; mostly turns must alternate, beginning with the "
                            "user's. task.chat_template=plain takes any") from None

    def led(self) -> ChatTemplate:
        """Return a template that asks for an answer with what it puts before each, such as thoughts left empty.

        Spaces alone stay with the answer: tokenizers take them and the word behind them as one.
        """
        asked = self.lead.rstrip(" ")
        if not asked:
            return self
        more = "{% if add_generation_prompt %}{{ " + json.dumps(asked, ensure_ascii=False) + " }}{% endif %}"
        return replace(self, source=self.source.removesuffix("\n") + more, lead=self.lead[len(asked):])

    def answer_in(self, conversation: Conversation, turn: int, text: str) -> tuple[int, int] | None:
        """Return where an answer and its end stand in a rendered conversation, in characters.

        Args:
            conversation: all turns.
            turn: number of the answer's turn.
            text: the conversation, rendered.

        Returns:
            First character, and the one behind the last; ``None`` where the template writes that turn otherwise once
            others follow, so that it is not what the model would write.
        """
        prompt = self.render(Conversation(conversation.turns[:turn]), answering=True)
        whole = self.render(Conversation(conversation.turns[: turn + 1]))
        end = len(whole) - len(self.tail) + len(self.end)
        if not (whole.startswith(prompt) and whole.endswith(self.tail) and text.startswith(whole[:end])):
            return None
        return len(prompt), end


def plain(special: Mapping[str, str], *, begins: bool, bare: bool = False) -> str:
    """Return the template for models that bring none.

    Args:
        special: the tokenizer's tokens.
        begins: whether its texts begin with a token of their own.
        bare: for prompts that stand as they are, and not for conversations.

    Raises:
        ModelError: the tokenizer has no end token.
    """
    if "eos_token" not in special:
        raise ModelError("the tokenizer has no end token (eos_token), so a model cannot learn where an answer ends",
                         "name it in tokenizer_config.json, or take another model")
    return (_BEGIN if begins and "bos_token" in special else "") + (BARE if bare else PLAIN)


def chosen(found: Any) -> str | None:
    """Return the template among what a tokenizer's configuration holds: a text, or several by name.

    Raises:
        ModelError: there are several and none is called ``default``.
    """
    if isinstance(found, str) or found is None:
        return found or None
    named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
    if not isinstance(named.get("default"), str):
        raise ModelError(f"the tokenizer has chat templates called {', '.join(map(str, named)) or 'nothing'}, and none "
                         "is the default", "set task.chat_template=plain")
    return str(named["default"])


@cache
def _compiled(source: str) -> Any:
    require("jinja2")
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}`` marks answers for others; here they are found by their places."""

        tags = {"generation"}  # noqa: RUF012 - as its base has it

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None,
               sort_keys: bool = False) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = refuse
    try:
        return environment.from_string(source)
    except TemplateError as error:
        raise ModelError(f"the model's chat template is not valid Jinja: {error}", "set task.chat_template=plain") \
            from None

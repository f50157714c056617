"""The table of verbs: a method of Garage marked `@verb` is one line of the %garage language and of the command line.

Its signature and docstring are the whole definition. Cyclopts turns them into parsing, suggestions and errors: it
reads plain Python signatures, answers with the bound call instead of running it, and takes 0.2 s to import.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import InputError, nearest

Method = TypeVar("Method", bound=Callable[..., Any])
_MARK = "__garage_verb__"


@dataclass(frozen=True)
class Verb:
    """One entry. A `session` verb changes what is on the lift; a `model` verb needs something there."""

    name: str
    aliases: tuple[str, ...]
    session: bool
    model: bool
    doc: str
    signature: inspect.Signature

    @property
    def summary(self) -> str:
        return self.doc.split("\n")[0]


def verb(*aliases: str, session: bool = False, model: bool = True) -> Callable[[Method], Method]:
    """Mark a method of Garage as a verb."""

    def mark(method: Method) -> Method:
        entry = Verb(method.__name__, aliases, session, model, inspect.getdoc(method) or "", inspect.signature(method))
        setattr(method, _MARK, entry)
        return method

    return mark


def verbs_of(garage: type) -> dict[str, Verb]:
    """Every verb by name, in the order written."""
    return {name: getattr(method, _MARK) for name, method in vars(garage).items() if hasattr(method, _MARK)}


def find(verbs: Mapping[str, Verb], name: str) -> Verb:
    """The verb of that name or alias. InputError names the nearest."""
    for entry in verbs.values():
        if name in (entry.name, *entry.aliases):
            return entry
    known = [word for entry in verbs.values() for word in (entry.name, *entry.aliases)]
    raise InputError(f"There is no verb {name!r}.", f"Nearest: {nearest(name, known)}. `help` lists all.")


def call(garage: Any, words: Sequence[str]) -> Any:
    """Run one line: the verb's name and its arguments, already split into words.

    A word may be a live object instead of text. Misspelt verbs and arguments are an InputError.
    """
    from cyclopts import CycloptsError

    if not words:
        return garage.help()
    entry = find(verbs_of(type(garage)), str(words[0]))
    live = {f"@object-{place}@": word for place, word in enumerate(words) if not isinstance(word, str)}
    texts = [word if isinstance(word, str) else f"@object-{place}@" for place, word in enumerate(words)]
    try:
        _, bound, _ = _parser(garage, entry).parse_args(texts[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise InputError(str(error).split("\n")[0], f"Usage: {usage(entry)}") from None
    return getattr(garage, entry.name)(**{name: _object(live, value) for name, value in bound.arguments.items()})


def _object(live: Mapping[str, Any], value: Any) -> Any:
    return live.get(value, value) if isinstance(value, str) else value


def _parser(garage: Any, entry: Verb) -> Any:
    """A parser for one verb; `self` is bound, so the method's signature is the command's."""
    from cyclopts import App

    app = App(name=entry.name, help_flags=[], version_flags=[], result_action="return_value")
    app.default(getattr(garage, entry.name))
    return app


def usage(entry: Verb) -> str:
    """`scale PART FACTOR`, `capture PROMPT [--layers …]`."""
    words = []
    for parameter in list(entry.signature.parameters.values())[1:]:
        required = parameter.default is inspect.Parameter.empty
        option = f"--{parameter.name.replace('_', '-')}"
        word = parameter.name.upper() if parameter.kind is not inspect.Parameter.KEYWORD_ONLY else f"{option} …"
        words.append(word if required else f"[{word}]")
    return " ".join([entry.name, *words])

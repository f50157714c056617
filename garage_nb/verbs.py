"""The table of verbs: a method of Garage marked `@verb` is one line of the %garage language and of the command line.

Its signature and docstring are the whole definition. Cyclopts turns them into parsing, suggestions and errors: it
reads plain Python signatures, answers with the bound call instead of running it, and takes 0.2 s to import.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from types import MethodType
from typing import Any, TypeVar

from .errors import InputError, nearest

Method = TypeVar("Method", bound=Callable[..., Any])
HELP = ("-h", "--help")
_MARK = "__garage_verb__"
_PLAIN = re.compile(r"[\w.,*:/+][\w.,*:/+-]*|-[\d.]+")


class Text(str):
    """A word that stood in quotes: never an option, whatever it begins with."""


def quoted(text: str) -> str:
    """The text as one word of a line; as it stands where it is one already."""
    if _PLAIN.fullmatch(text):
        return text
    mark, other = ('"', "'") if not re.search(r'["\\]', text) else ("'", '"')
    return mark + text.replace(mark, f"{mark}{other}{mark}{other}{mark}") + mark


@dataclass(frozen=True)
class Verb:
    """One entry. A `session` verb means something only while a session lasts; a `model` verb needs one on the lift; a
    `sheet` verb changes what is to be built.
    """

    name: str
    aliases: tuple[str, ...]
    session: bool
    model: bool
    doc: str
    signature: inspect.Signature
    sheet: bool = False

    @property
    def summary(self) -> str:
        return self.doc.split("\n")[0]

    @property
    def prompted(self) -> bool:
        """Whether it reads a prompt."""
        return "prompt" in self.signature.parameters

    @property
    def edits(self) -> bool:
        """Whether it changes what is in force."""
        return self.session and self.model and not self.sheet


def verb(*aliases: str, session: bool = False, model: bool = True, sheet: bool = False) -> Callable[[Method], Method]:
    """Mark a method of Garage as a verb."""

    def mark(method: Method) -> Method:
        doc, signature = inspect.getdoc(method) or "", inspect.signature(method)
        entry = Verb(method.__name__, aliases, session, model, doc, signature, sheet)
        setattr(method, _MARK, entry)
        return method

    return mark


def verbs_of(garage: type) -> dict[str, Verb]:
    """Every verb by name, in the order written; those of the classes it is made of come first."""
    methods = {name: _function(found) for kind in reversed(garage.__mro__) for name, found in vars(kind).items()}
    return {name: getattr(method, _MARK) for name, method in methods.items() if hasattr(method, _MARK)}


def _function(found: Any) -> Any:
    """A verb without arguments may be a property."""
    return found.fget if isinstance(found, property) else found


def find(verbs: Mapping[str, Verb], name: str) -> Verb:
    """The verb of that name or alias. InputError names the nearest."""
    for entry in verbs.values():
        if name in (entry.name, *entry.aliases):
            return entry
    known = [word for entry in verbs.values() for word in (entry.name, *entry.aliases)]
    raise InputError(f"There is no verb {name!r}.", f"Nearest: {nearest(name, known)}. `help` lists all.")


@dataclass(frozen=True)
class Call:
    """What a line says: a verb and its arguments, not yet made."""

    verb: str
    arguments: Mapping[str, Any]

    def on(self, garage: Any) -> Any:
        if isinstance(inspect.getattr_static(garage, self.verb), property):
            return getattr(garage, self.verb)
        return getattr(garage, self.verb)(**self.arguments)


def call(garage: Any, words: Sequence[Any]) -> Any:
    """Run one line: the verb's name and its arguments, already split into words.

    A word may be a live object instead of text. Misspelt verbs and arguments are an InputError.
    """
    return read(type(garage), words).on(garage)


def read(garage: type, words: Sequence[Any], *, model: str = "") -> Call:
    """What a line says to a Garage. `model` is what stands for the model in the usage that an InputError shows."""
    from cyclopts import CycloptsError

    if not words or asks_help(words[0]):
        return Call("help", {})
    entry = find(verbs_of(garage), str(words[0]))
    if any(map(asks_help, words)):
        return Call("help", {"verb": entry.name})
    live = {f"@object-{place}@": word for place, word in enumerate(words) if not _spelt(word)}
    texts = [word if _spelt(word) else f"@object-{place}@" for place, word in enumerate(words)]
    try:
        _, bound, _ = _parser(garage, entry, live).parse_args(texts[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise _refusal(entry, error, model) from None
    return Call(entry.name, {name: _object(live, value) for name, value in bound.arguments.items()})


def asks_help(word: Any) -> bool:
    return isinstance(word, str) and not isinstance(word, Text) and word in HELP


def _spelt(word: Any) -> bool:
    """Whether the parser may read this word itself; all others travel past it under a made-up name."""
    return isinstance(word, str) and (not isinstance(word, Text) or not word.startswith("-") or _is_number(word))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _object(live: Mapping[str, Any], value: Any) -> Any:
    return live.get(value, value) if isinstance(value, str) else value


def _parser(garage: type, entry: Verb, live: Mapping[str, Any]) -> Any:
    """A parser for one verb. `self` is bound, to no matter what, so the method's signature is the command's."""
    from cyclopts import App, Parameter, convert

    def read(kind: Any, tokens: Sequence[Any]) -> Any:
        if kind not in (int, float):
            return convert(kind, tokens)
        return _number(kind, live.get(tokens[0].value, tokens[0].value))

    exact = Parameter(converter=read)
    app = App(name=entry.name, help_flags=[], version_flags=[], result_action="return_value", default_parameter=exact)
    app.default(MethodType(_function(inspect.getattr_static(garage, entry.name)), garage))
    return app


def _number(kind: type[int] | type[float], value: Any) -> float:
    """Exactly what was written: 1.5 is no whole number, and none is rounded into one."""
    try:
        return kind(value) if kind is float or isinstance(value, str) else index(value)
    except (TypeError, ValueError):
        name = "whole number" if kind is int else "number"
        raise ValueError(f"{value if isinstance(value, str) else type(value).__name__} is no {name}.") from None


def _refusal(entry: Verb, error: Any, model: str) -> InputError:
    """The parser's complaint in the garage's words."""
    from cyclopts import MissingArgumentError, UnusedCliTokensError

    how = f"Usage: {usage(entry, model)}"
    if isinstance(error, UnusedCliTokensError):
        left = " ".join(error.unused_tokens or ())
        return InputError(f"{entry.name} cannot use {left!r}.", f'Write "…" around a text with spaces. {how}')
    if isinstance(error, MissingArgumentError) and error.argument is not None and not error.keyword:
        return InputError(f"{entry.name} needs {error.argument.field_info.name.upper()}.", how)
    return InputError(str(error).split("\n")[0], how)


def usage(entry: Verb, model: str = "") -> str:
    """`scale PART FACTOR`, `capture PROMPT [--layers all] [--keep]`: options with what they are when left out.

    `model` stands for the one a command names: `garage capture MODEL PROMPT …`.
    """
    named = [model] if model and entry.model else []
    start = f"garage {entry.name}" if model else entry.name
    return " ".join([start, *named, *map(_usage, list(entry.signature.parameters.values())[1:])])


def _usage(parameter: inspect.Parameter) -> str:
    left_out = parameter.default
    word = parameter.name.upper()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
        value = "" if left_out is False else f" {'…' if left_out is None else left_out}"
        word = f"--{parameter.name.replace('_', '-')}{value}"
    return word if left_out is inspect.Parameter.empty else f"[{word}]"

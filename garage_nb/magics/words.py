"""From the text after %garage to words, live objects included.

IPython would evaluate every `{…}` in the line, and give up on all of them when one fails; so the magic is registered
without expansion, and only two whole words are read here: `{name}` puts the text of a variable in, `@name` the object
itself. Any other brace, dollar sign or at-sign is the user's own text, and so is an `@name` in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InputError, nearest
from ..verbs import Text

_NAME = r"[A-Za-z_]\w*"
_END = r"(?=\s|;?(?:\s+\#.*)?$)"
# A quote opens only where a word begins and closes only where one ends, so that don't and "say "hi" now" stay whole.
_WORD = re.compile(
    rf"""(?P<option>--[\w-]+=)?  (?: (?P<quote>["']) (?P<text>.*?) (?P=quote) {_END} | (?P<bare>\S+?) {_END} )""",
    re.VERBOSE | re.DOTALL,
)
_BETWEEN = re.compile(r"\s*;?\s*(?:$|#.*)|\s+", re.DOTALL)


def words(line: str, variables: Mapping[str, Any]) -> list[Any]:
    """The words of a line; quotes, a last `;` and a `# comment` are taken off. `variables` is the notebook's namespace.

    A backslash is a backslash.
    """
    return [word for match in _matches(line.strip()) for word in _read(match, variables)]


def _matches(line: str) -> Iterator[re.Match[str]]:
    place = 0
    while place < len(line):
        match = _BETWEEN.match(line, place)
        if match is None:
            match = _WORD.match(line, place)
            assert match is not None  # whatever is no space begins a word
            yield match
        place = match.end()


def _read(match: re.Match[str], variables: Mapping[str, Any]) -> list[Any]:
    option, text, bare = match["option"] or "", match["text"], match["bare"] or ""
    if bare.startswith(('"', "'")):
        raise InputError("A quotation mark is not closed.", 'Write "…" around a text, or \'…\' when it holds ".')
    live = re.fullmatch(rf"@({_NAME})", bare)
    value = _object(live[1], variables) if live else _expanded(bare if text is None else Text(text), variables)
    if option and isinstance(value, str) and not isinstance(value, Text):
        return [option + value]
    return [option.rstrip("="), value] if option else [value]


def _expanded(word: str, variables: Mapping[str, Any]) -> str:
    named = re.fullmatch(rf"\{{({_NAME})\}}", word)
    return Text(variables[named[1]]) if named and named[1] in variables else word


def _object(name: str, variables: Mapping[str, Any]) -> Any:
    if name not in variables:
        public = [known for known in variables if not known.startswith("_")]
        raise InputError(f"There is no variable {name!r}.", f"Nearest: {nearest(name, public)}.")
    value = variables[name]
    return Text(value) if isinstance(value, str) else value

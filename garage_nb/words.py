"""From the text after %garage to words, live objects included.

Quotes as a shell has them: '…' and "…" keep what stands in them, and pieces that touch are one word. A backslash is a
backslash, unless it stands before a quotation mark or, outside quotes, before a space. A last `;` and a `# comment` are
taken off.

IPython would evaluate every `{…}` in the line, and give up on all of them when one fails; so the magic is registered
without expansion, and only whole words outside quotes are read here: `{name}` and `$name` put the text of a variable in
where there is one, `@name` and `-v name` the object itself. `{name.more}` of a variable is refused: nothing is computed
here. Everything else is the user's own text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import InputError, nearest
from .verbs import Text

_PIECE = re.compile(
    r"""
    '(?P<single>[^']*)'
    | "(?P<double> (?: [^"\\] | \\(?!\\*") | (?:\\\\)*\\" | (?:\\\\)+(?=") )* )"
    | (?P<escaped> (?:\\\\)*\\["'\s] | (?:\\\\)+(?=["'\s]) )
    | (?P<bare> [^\s"'] )
    """,
    re.VERBOSE | re.DOTALL,
)
_RUN = {"double": re.compile(r'(\\+)("|\Z)'), "escaped": re.compile(r"(\\+)(.|\Z)", re.DOTALL)}  # of backslashes
_END = re.compile(r"\s*;?\s*(?:\#.*)?\Z", re.DOTALL)  # where a word would begin
_LAST = re.compile(r";\s*(?:\s\#.*)?\Z", re.DOTALL)  # behind one
_SPACE = re.compile(r"\s+")
_OPTION = re.compile(r"(--[\w-]+)=(.*)", re.DOTALL)
_NAMED = re.compile(r"\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)")
_COMPUTED = re.compile(r"\{(([A-Za-z_]\w*)[.\[(][^{}]*)\}")
_FIELD = re.compile(r"\{([A-Za-z_]\w*)\}")
_LIVE = re.compile(r"@([A-Za-z_]\w*)")


def words(line: str, variables: Mapping[str, Any]) -> list[Any]:
    """What stands in the line; `variables` is the notebook's namespace. InputError for a quote left open."""
    return list(_with_objects(iter(_spelt(line)[0]), variables))


def begun(line: str) -> tuple[list[str], str]:
    """For completion: the finished words, and what is written of the one the line breaks off in, quotes and all."""
    start = place = 0
    while place < len(line) and (piece := _PIECE.match(line, place) or _SPACE.match(line, place)):
        place = piece.end()
        start = place if piece.re is _SPACE else start
    finished, comment = _spelt(line[:start])
    return [word.text if word.bare else Text(word.text) for word in finished], comment + line[start:]


def silenced(line: str) -> bool:
    """Whether a `;` ends it."""
    return _spelt(line)[1].startswith(";")


def filled(text: str, variables: Mapping[str, Any]) -> str:
    """With `{name}` replaced by the text of the variable, where there is one; every other brace stays."""
    return _FIELD.sub(lambda field: str(variables.get(field[1], field[0])), text)


@dataclass(frozen=True)
class _Word:
    """`opened` is where in the text the first quotation mark stood."""

    text: str
    opened: int | None

    @property
    def bare(self) -> bool:
        return self.opened is None


_LIVE_NEXT = _Word("-v", None)


def _spelt(line: str) -> tuple[list[_Word], str]:
    """The words, and what ends the line behind them."""
    found, place = [], _space(line, 0)
    while not _END.match(line, place):
        text, opened = "", None
        while place < len(line) and not line[place].isspace() and not _LAST.match(line, place):
            piece = _piece(line, place)
            if piece.lastgroup not in ("escaped", "bare") and opened is None:
                opened = len(text)
            text, place = text + _meant(piece), piece.end()
        found.append(_Word(text, opened))
        place = _space(line, place)
    return found, line[place:]


def _space(line: str, place: int) -> int:
    """Where it ends."""
    return len(line) - len(line[place:].lstrip())


def _piece(line: str, place: int) -> re.Match[str]:
    piece = _PIECE.match(line, place)
    if piece is None:
        raise InputError("A quotation mark is not closed.", 'Write "…" around a text, or \'…\' when it holds ".')
    return piece


def _meant(piece: re.Match[str]) -> str:
    """Without its quotes, and with every second backslash of those that stand before one."""
    kind = str(piece.lastgroup)
    if kind not in _RUN:
        return piece[kind]
    return _RUN[kind].sub(lambda run: "\\" * (len(run[1]) // 2) + run[2], piece[kind])


def _with_objects(spelt: Iterator[_Word], variables: Mapping[str, Any]) -> Iterator[Any]:
    for word in spelt:
        option = _OPTION.fullmatch(word.text)
        if option is not None and (word.opened is None or word.opened > len(option[1])):
            yield option[1]
            yield _value(_Word(option[2], word.opened), variables)
        elif word == _LIVE_NEXT:
            yield _object(_name_after(spelt), variables)
        else:
            yield _value(word, variables)


def _name_after(spelt: Iterator[_Word]) -> str:
    word = next(spelt, None)
    if word is None:
        raise InputError("-v needs the name of a variable.", "Write: -v direction, or @direction.")
    return word.text


def _value(word: _Word, variables: Mapping[str, Any]) -> Any:
    if not word.bare:
        return Text(word.text)
    if live := _LIVE.fullmatch(word.text):
        return _object(live[1], variables)
    named = _NAMED.fullmatch(word.text)
    name = str(named[1] or named[2]) if named else ""
    computed = _COMPUTED.fullmatch(word.text)
    if computed is not None and computed[2] in variables:
        raise InputError(
            f"{word.text} asks for more than the text of a variable.",
            f'Name what is meant: x = {computed[1]}, and write {{x}}. For these very letters, write "{word.text}".',
        )
    return Text(variables[name]) if name in variables else word.text


def _object(name: str, variables: Mapping[str, Any]) -> Any:
    if name not in variables:
        public = [known for known in variables if not known.startswith("_")]
        raise InputError(f"There is no variable {name!r}.", f"Nearest: {nearest(name, public)}.")
    value = variables[name]
    return Text(value) if isinstance(value, str) else value

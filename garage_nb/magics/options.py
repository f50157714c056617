"""Options of the language itself, which every line takes beside those of its verb."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InputError
from ..verbs import Text


@dataclass(frozen=True)
class Options:
    """`name` is of the variable to keep the answer in, `fmt` for `{name}` in a cell."""

    name: str | None = None
    debug: bool = False
    fmt: bool = False


HELP = {
    "--as": "keep the answer in a variable: --as shots",
    "--debug": "show an error with its whole traceback",
    "--fmt": "put variables into the cell: {name}",
}


def taken(words: Sequence[Any]) -> tuple[Options, list[Any]]:
    """The options, and the words that are left for the verb."""
    options, left, waiting = Options(), [], iter(words)
    for word in waiting:
        if isinstance(word, Text) or not isinstance(word, str) or word not in HELP:
            left.append(word)
        elif word == "--as":
            options = replace(options, name=_name(next(waiting, "")))
        elif word == "--debug":
            options = replace(options, debug=True)
        else:
            options = replace(options, fmt=True)
    return options, left


def _name(word: Any) -> str:
    if not isinstance(word, str) or not word.isidentifier():
        raise InputError(f"--as needs the name of a variable, not {word!r}.", "Write: --as shots")
    return word

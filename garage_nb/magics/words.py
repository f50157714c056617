"""From the text after %garage to words, live objects included.

IPython would evaluate every `{…}` in the line, and give up on all of them when one fails; so the magic is registered
without expansion, and only two whole words are read here: `{name}` puts the text of a variable in, `@name` the object
itself. Any other brace, dollar sign or at-sign is the user's own text.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from ..errors import InputError, nearest

_NAME = r"[A-Za-z_]\w*"


def words(line: str, variables: Mapping[str, Any]) -> list[Any]:
    """Split as a shell does, quotes taken off. `variables` is the notebook's namespace."""
    return [_expanded(word, variables) for word in _split(line.strip().rstrip(";"))]


def _split(line: str) -> list[str]:
    reader = shlex.shlex(line, posix=True, punctuation_chars="")
    reader.whitespace_split = True
    reader.commenters = ""
    reader.escape = ""  # a backslash in a prompt is a backslash
    try:
        return list(reader)
    except ValueError:
        raise InputError(
            "A quotation mark is not closed.", 'Write "…" around a text, or \'…\' when it holds ".'
        ) from None


def _expanded(word: str, variables: Mapping[str, Any]) -> Any:
    named = re.fullmatch(rf"\{{({_NAME})\}}|@({_NAME})", word)
    if named is None:
        return word
    name = named[1] or named[2]
    if name not in variables:
        if named[1]:
            return word
        raise InputError(f"There is no variable {name!r}.", f"Nearest: {nearest(name, _public(variables))}.")
    return str(variables[name]) if named[1] else variables[name]


def _public(variables: Mapping[str, Any]) -> list[str]:
    return [name for name in variables if not name.startswith("_")]

"""Page: the help that a line asks for, without waiting for torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..answers.manual import Manual
from ..verbs import asks_help, find
from .outline import outlined


def page(words: Sequence[Any]) -> Manual | None:
    """What `call` would answer. None for a line that asks for no help, and for one that only a parser can refuse."""
    if any(map(asks_help, words)):
        named = () if asks_help(words[0]) else words[:1]
    elif not words or (words[0] == "help" and len(words) < 3):
        named = words[1:]
    else:
        return None
    return Manual(outlined(), find(outlined(), str(named[0])).name if named else "")

"""Found: what must be in a corpus before a survey begins, so that a mistyped field is an error and not a long list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...errors import InputError, nearest
from .entry import Fields, Raw
from .text import SetAside


def demand_some(looked: list[Raw], name: str) -> None:
    """InputError for a corpus with nothing in it."""
    if not looked:
        raise InputError(
            f"{name} is empty.", "Give at least one text; of what can be read only once, a new one each time."
        )


def demand_fields(looked: Iterable[object], fields: Fields) -> None:
    """InputError for a field that none of the rows has, and for a label of texts that come without fields."""
    sound = [value for value in looked if not isinstance(value, SetAside)]
    known = list(dict.fromkeys(str(name) for row in sound if isinstance(row, Mapping) for name in row))
    for name in fields.names:
        if sound and name not in known and (known or name == fields.label):
            there = f"Nearest: {nearest(name, known)}." if known else "Give rows: {'text': …, 'label': …}."
            raise InputError(f"The corpus has no {name!r}.", there)

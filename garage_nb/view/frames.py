"""Frames: the numbers of an answer as a pandas table, one tidy row for each thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def framed(
    of: str | Sequence[str], names: Iterable[Any], columns: Sequence[str], rows: Iterable[Iterable[Any]]
) -> pd.DataFrame:
    """`of` says what the names are names of, and with that what a row is: a part, a token, an edit.

    Several words take a tuple of names a row: ("run", "step"). Half of a character, which no file of text and no
    Arrow column can hold, is written out as `\\ud800`.
    """
    import pandas as pd

    several = not isinstance(of, str)
    keys = [tuple(map(_whole, name)) if several else _whole(name) for name in names]
    index = pd.MultiIndex.from_tuples(keys, names=list(of)) if several else pd.Index(keys, name=of)
    heads = list(map(_whole, columns))
    frame: pd.DataFrame = pd.DataFrame([tuple(map(_whole, row)) for row in rows], index=index, columns=heads)
    return frame


def _whole(value: Any) -> Any:
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")

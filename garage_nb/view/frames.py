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

    Several words take a tuple of names a row: ("run", "step").
    """
    import pandas as pd

    several = not isinstance(of, str)
    index = pd.MultiIndex.from_tuples(list(names), names=list(of)) if several else pd.Index(list(names), name=of)
    frame: pd.DataFrame = pd.DataFrame([tuple(row) for row in rows], index=index, columns=list(columns))
    return frame

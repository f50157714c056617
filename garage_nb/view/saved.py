"""SavedResult: an answer that came back from a file, with its numbers and what it said of itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .bars import Column, Table
from .figure import Plot
from .origin import Origin
from .saving import opened, save
from .shown import Drawn

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ROWS, COLUMNS = 40, 6  # of the table; the frame holds them all


def open_result(path: str | Path) -> SavedResult:
    """What `result.save(path)` wrote. InputError for a file that is not there, not ours, damaged or newer.

    >>> Garage("showroom").lens("The capital of France is").save("lens.csv")
    >>> open_result("lens.csv").plot("entropy")
    """
    return SavedResult(*opened(path))


@dataclass(frozen=True, eq=False, repr=False)
class SavedResult(Drawn):
    """`origin` is what it was: its kind, what stood above its table, what its numbers are, its threshold."""

    origin: Origin
    table: pd.DataFrame = field(repr=False)

    @property
    def model_id(self) -> str:
        """Empty where it was not said."""
        return str(self.origin.facts.get("model_id", ""))

    def frame(self) -> pd.DataFrame:
        """Bit for bit the frame that was saved."""
        found: pd.DataFrame = self.table.copy()
        return found

    def save(self, path: str | Path) -> Path:
        """As any answer, under what it was first."""
        return save(self.origin, self.table, path)

    def plot(self, column: str | None = None, ax: Axes | None = None) -> Plot:
        """One column of numbers, the first when left out: along the names of the rows, or where these are of several
        words as a grid, the last word to the right.
        """
        from .plots import grid, line

        name = self._drawn(column)
        values = [float(value) if math.isfinite(value) else math.nan for value in self.table[name].fillna(math.nan)]
        label = ", ".join(filter(None, (name, self.origin.limits)))
        *_, across = self.table.index.names
        if self.table.index.nlevels > 1 and self.table.index.is_unique:
            rows, places, squares = self._squares(values)
            drawn = grid(rows, places, squares, label, across=str(across), ax=ax)
        else:
            drawn = line(self._names, values, label=label, across=str(across), ax=ax)
        subject = ": ".join(filter(None, (self._about, self.origin.title)))
        return Plot(drawn, f"{label} of {len(values)} rows of {subject}", self.frame)

    def picture(self) -> Table:
        head = self.table.head(ROWS)
        columns = [Column(name, _cells(head[name])) for name in head.columns[:COLUMNS]]
        shown = f"{len(head)} of {len(self.table)} rows" if len(head) < len(self.table) else ""
        rest = f"{len(columns)} of {len(head.columns)} columns" if len(columns) < len(head.columns) else ""
        more = ", ".join(filter(None, (shown, rest)))
        caption = " · ".join(filter(None, (self._about, self.origin.caption, more and f"{more}; all in .frame()")))
        return Table(self._names[:ROWS], columns, title=self.origin.title, caption=caption)

    @property
    def _about(self) -> str:
        return f"saved {self.origin.kind}"

    @property
    def _names(self) -> list[str]:
        return list(map(_said, self.table.index))

    def _drawn(self, column: str | None) -> str:
        """InputError for a column that is not there or holds no numbers."""
        numbers = [str(name) for name in self.table.select_dtypes("number").columns]
        said = f"There are: {', '.join(numbers) or 'none'}."
        if not numbers or self.table.empty:
            raise InputError(f"A saved {self.origin.kind} of {len(self.table)} rows holds no numbers to draw.", said)
        if column is not None and column not in numbers:
            raise InputError(f"A saved {self.origin.kind} has no column of numbers {column!r}.", said)
        return numbers[0] if column is None else column

    def _squares(self, values: Sequence[float]) -> tuple[list[str], list[str], list[list[float]]]:
        """Names of rows and columns, and the numbers where they meet; NaN where nothing does."""
        places = self.table.index.get_level_values(-1)
        rows = self.table.index.droplevel([-1])
        cells = dict(zip(self.table.index.to_flat_index(), values, strict=True))
        found = [
            [cells.get((*(row if isinstance(row, tuple) else (row,)), place), math.nan) for place in places.unique()]
            for row in rows.unique()
        ]
        return [_said(row) for row in rows.unique()], [_said(place) for place in places.unique()], found


def _said(name: object) -> str:
    return " · ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _cells(values: pd.Series) -> list[float | str]:
    """Numbers as such, all else as text."""
    if values.dtype.kind in "iuf":
        return [math.nan if none else float(value) for value, none in zip(values, values.isna(), strict=True)]
    return ["" if none else str(value) for value, none in zip(values, values.isna(), strict=True)]

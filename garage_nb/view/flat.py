"""Flat: a frame as named columns of plain text, the levels of its index first, each with what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .cells import MIXED, Cells, column, kind_of, plain

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Flat:
    """`levels` are the names of the index, None for one without; `kinds` and `cells` are theirs, then the columns'."""

    levels: tuple[str | None, ...]
    heads: tuple[str, ...]
    kinds: tuple[str, ...]
    cells: Sequence[Cells]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Flat:
        """InputError for a column of what is neither text nor number."""
        levels = [frame.index.get_level_values(place).to_series() for place in range(frame.index.nlevels)]
        columns = [*levels, *(frame[name] for name in frame.columns)]
        kinds = tuple(map(kind_of, columns))
        cells = [plain(values, kind) for values, kind in zip(columns, kinds, strict=True)]
        names = (None if name is None else str(name) for name in frame.index.names)
        return cls(tuple(names), tuple(map(str, frame.columns)), kinds, cells)

    @property
    def names(self) -> list[str]:
        return [name or "" for name in (*self.levels, *self.heads)]

    def frame(self, *, as_text: bool = False) -> pd.DataFrame:
        """The frame it was made of. With `as_text`, cells of several kinds stay the JSON that they are written as."""
        import pandas as pd

        kinds = ["text" if as_text and kind == MIXED else kind for kind in self.kinds]
        columns = list(map(column, self.cells, kinds))
        levels, values = columns[: len(self.levels)], columns[len(self.levels) :]
        index = (
            pd.Index(levels[0], name=self.levels[0])
            if len(levels) == 1
            else pd.MultiIndex.from_arrays(levels, names=self.levels)
        )
        found: pd.DataFrame = pd.DataFrame(dict(enumerate(values)), index=range(len(levels[0])))
        found.index, found.columns = index, pd.Index(list(self.heads))
        return found

    def to_json(self) -> dict[str, Any]:
        return {"levels": list(self.levels), "heads": list(self.heads), "kinds": list(self.kinds)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], cells: Sequence[Cells]) -> Flat:
        """ValueError for another number of columns than it is said to have."""
        flat = cls(tuple(data["levels"]), tuple(data["heads"]), tuple(data["kinds"]), cells)
        if not len(flat.names) == len(flat.kinds) == len(cells):
            raise ValueError
        return flat

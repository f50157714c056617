"""Shown: what every answer of a verb is: text in a terminal, html in a notebook, a frame to go on with.

A new answer says its `picture()` and its `frame()`. Where a drawing tells more than the table it is a `Drawn` too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .markup import page

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from .figure import Plot


class Picture(Protocol):
    def text(self) -> str: ...

    def html(self) -> str: ...


class Shown(ABC):
    """Keeps its numbers; `picture()` says how they look, once for every surface."""

    @abstractmethod
    def picture(self) -> Picture:
        """A Table, a Card, or anything else with `text()` and `html()`."""

    @abstractmethod
    def frame(self) -> pd.DataFrame:
        """One tidy row for each thing shown, the thing's name as the index; also what the picture has no room for."""

    def save(self, path: str | Path) -> Path:
        """Write the frame to a `.parquet` or `.csv` file, with what it is; `garage_nb.open_result` reads it back."""
        from .origin import origin_of
        from .saving import save

        return save(origin_of(self), self.frame(), path)

    def __repr__(self) -> str:
        return self.picture().text()

    def _repr_html_(self) -> str:
        return page(self.picture().html())


class Drawn(Shown):
    """An answer that can be drawn, where a line or a colour tells more than a column of figures."""

    @abstractmethod
    def plot(self, *, ax: Axes | None = None) -> Plot:
        """On a figure of its own, or on matplotlib axes of yours. What else can be chosen comes before `ax`."""

"""Shown: a value that shows itself, as text in a terminal and as html in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol


class Picture(Protocol):
    def text(self) -> str: ...

    def html(self) -> str: ...


class Shown(ABC):
    """Keeps its numbers; `picture()` says how they look, once for every surface."""

    @abstractmethod
    def picture(self) -> Picture:
        """A Table, a Card, or anything else with `text()` and `html()`."""

    def __repr__(self) -> str:
        return self.picture().text()

    def _repr_html_(self) -> str:
        return self.picture().html()

"""Stacked: several pictures of one answer, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .shown import Picture


@dataclass(frozen=True)
class Stacked:
    """From top to bottom, with a line of air between them in a terminal."""

    pictures: Sequence[Picture]

    def text(self) -> str:
        return "\n\n".join(picture.text() for picture in self.pictures)

    def html(self) -> str:
        return "".join(f"<div>{picture.html()}</div>" for picture in self.pictures)

"""Marks: what is picked, changed and coloured in a drawing, and how a part shows what is marked inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import shortened
from .inside import told
from .machine import Place
from .shade import Shade, Tint

LISTED = 12  # names that a caption has room for; the drawing shows them all


@dataclass(frozen=True)
class Marks:
    picked: Sequence[str] = ()
    changed: Sequence[str] = ()
    shade: Shade = field(default_factory=Shade)

    @cached_property
    def _picked(self) -> dict[str, list[str]]:
        return _by_part(self.picked)

    @cached_property
    def _changed(self) -> dict[str, list[str]]:
        return _by_part(self.changed)

    def told(self) -> str:
        said = f"Picked: {shortened(self.picked, LISTED) or 'nothing'}."
        return f"{said} Changed: {shortened(self.changed, LISTED)}." if self.changed else said

    def is_picked(self, place: Place) -> bool:
        return place.name in self.picked

    def is_changed(self, place: Place) -> bool:
        """Or something inside it is."""
        return place.name in self.changed or place.name in self._changed

    def beside(self, place: Place) -> str:
        """What stands beside a part's name: what is picked inside it, or else its number."""
        picked = told(self._picked.get(place.name, ()))
        tint = self.shade.tints.get(place.name)
        return picked or ("" if tint is None else tint.text)

    def words(self, place: Place) -> str:
        picked, changed = (told(names.get(place.name, ())) for names in (self._picked, self._changed))
        said = [place.words, self.shade.words(place.name), f"{picked} picked" if picked else ""]
        said.append("changed" if place.name in self.changed else f"{changed} changed" if changed else "")
        return ", ".join(filter(None, said))

    def strip(self, place: Place) -> list[tuple[str, Tint | None]]:
        """The numbered units inside, with their colours; empty where none has a number."""
        names = [f"{place.name}.{each.name}_{i}" for each in place.inside for i in range(each.count)]
        tints = [(name, self.shade.tints.get(name)) for name in names]
        return tints if any(tint for _, tint in tints) else []


def _by_part(names: Sequence[str]) -> dict[str, list[str]]:
    """Names of what is inside parts, by the part."""
    parts: dict[str, list[str]] = {}
    for name in names:
        part, dot, _ = name.partition(".")
        if dot:
            parts.setdefault(part, []).append(name)
    return parts

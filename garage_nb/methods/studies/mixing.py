"""Mixing: another model's hidden states, or twice as much of them, put in among the target's: nothing is fitted."""

from __future__ import annotations

from dataclasses import replace

from ...inject.blades.edit import BladeEdit
from ...inject.blades.kinds.transplant import transplant
from ...registry.lift import Lifted


def mixed_in(target: Lifted, place: str, source: Lifted, dose: float, *, source_place: str | None = None) -> BladeEdit:
    """So much of the source's and the rest of the target's, token by token; 1 puts them in the place of the target's.

    Errors as of `transplant`.
    """
    blade = transplant("mixed in", target, place, source, source_place=source_place, alpha=dose)
    return BladeEdit(blade.place, blade, dose, source)


def twice(edit: BladeEdit) -> BladeEdit:
    """The same blade, twice as strong."""
    return replace(edit, alpha=2 * edit.alpha)

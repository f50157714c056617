"""Fold: edits of a sheet become weights of the result, as far as they can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...inject.edit import Edit
from ...inject.place import place_of
from ..layout.ingredients import Ingredient, Made
from ..layout.layout import Layout
from .affine import Affine, affine_of
from .finding import target_of
from .target import Entering, Target


@dataclass(frozen=True, eq=False)
class Folded:
    """The layout with what could be folded in it. `stays` says of each edit that could not, why."""

    layout: Layout
    folded: tuple[Edit, ...] = ()
    stays: tuple[tuple[Edit, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Fold:
    """An edit, the weights that it goes into, and what it does to what passes there."""

    edit: Edit
    target: Target
    by: Affine


def folded(layout: Layout, edits: Iterable[Edit]) -> Folded:
    """Those behind one that stays stay too: they act on what it leaves. Errors as of `place_of` and `Edit.writer`."""
    folds: list[Fold] = []
    stays: list[tuple[Edit, str]] = []
    for edit in edits:
        found = "comes after one that stays" if stays else _fold_of(layout, edit)
        if isinstance(found, Fold):
            folds.append(found)
        else:
            place_of(layout.spec, edit.at)  # that it is there at all is told before anything is built
            stays.append((edit, found))
    for fold in _outwards(folds):
        layout = layout.with_tensors(_made(layout, fold))
    return Folded(layout, tuple(fold.edit for fold in folds), tuple(stays))


def _fold_of(layout: Layout, edit: Edit) -> Fold | str:
    place = place_of(layout.spec, edit.at)
    target = target_of(layout, place)
    if isinstance(target, str):
        return target
    by = affine_of(edit, place)
    if isinstance(by, str):
        return by
    holds = f"{target.path}.bias" in layout.tensors or target.shifts_without_bias()
    if bool(by.shift.any()) and not holds:
        return f"adds something, and {target.path} has no bias to hold it"
    return Fold(edit, target, Affine(by.scale, by.shift / place.site.times))


def _outwards(folds: list[Fold]) -> Iterator[Fold]:
    """From the weights outwards: of what enters a map the last edit is next to them, of what leaves it the first."""
    yield from (fold for fold in reversed(folds) if isinstance(fold.target, Entering))
    yield from (fold for fold in folds if not isinstance(fold.target, Entering))


def _made(layout: Layout, fold: Fold) -> dict[str, Ingredient]:
    names = f"{fold.target.path}.weight", f"{fold.target.path}.bias"
    weight, bias = (layout.tensors.get(name) for name in names)
    assert weight is not None
    made: dict[str, Ingredient] = {names[0]: Made((weight,), fold.target.weight(fold.by))}
    return made if bias is None else {**made, names[1]: Made((bias, weight), fold.target.bias(fold.by))}

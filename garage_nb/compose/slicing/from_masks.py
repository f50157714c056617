"""From masks: the neurons that edits leave, as slicing takes them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from ...core.parts import parse
from ...core.tokens import EVERY
from ...errors import EditError
from ...inject.edit import Edit
from ...inject.mask import Kept, Mask
from ...registry.specs import ModelSpec
from .narrowing import Means

_WANTED = "Give masks of ffns for all tokens, one each: mask ffn_* --keep 0:64."


def kept_by(edits: Iterable[Edit], spec: ModelSpec) -> tuple[Kept, Means]:
    """By ffn the neurons that stay, and what fills the others where it is not 0. EditError for anything but masks of
    neurons that act on every token, one an ffn.
    """
    kept: dict[str, tuple[int, ...]] = {}
    means: dict[str, Tensor] = {}
    for edit in edits:
        address = parse(spec.name(edit.at))
        ffn = "" if address is None or address.unit != "neurons" else str(address.whole)
        if not isinstance(edit, Mask) or not ffn or edit.tokens != EVERY:
            raise EditError(f"{str(edit)!r} takes no neurons away that a model could do without.", _WANTED)
        if ffn in kept:
            raise EditError(f"{ffn} is masked twice.", _WANTED)
        kept[ffn] = _left(edit, spec.parts[ffn].count_of("neurons") or 0)
        if edit.fill is not None:
            means[ffn] = edit.fill
    if not kept:
        raise EditError("No neuron is masked.", _WANTED)
    return kept, means


def _left(mask: Mask, count: int) -> tuple[int, ...]:
    """Each once, counted from 0, in order. Numbers that are not there are refused where they are used."""
    named = mask.keep if mask.drop is None else mask.drop
    assert isinstance(named, tuple)
    known = {number % count if -count <= number < count else number for number in named}
    return tuple(sorted(known if mask.drop is None else set(range(count)) - known))

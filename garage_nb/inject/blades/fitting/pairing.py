"""Pairing: a place of the target and one of the source, whose hidden states are brought together token by token."""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import EditError
from ....registry.lift import Lifted
from ...place import place_of
from ..card import demand_same_tokens


@dataclass(frozen=True)
class Ends:
    """Catalogue names, and how wide the hidden states are at both."""

    place: str
    width: int
    source_place: str
    source_width: int


def paired(target: Lifted, place: str, source: Lifted, source_place: str | None = None) -> Ends:
    """`source_place` is the same name where it is None. EditError for other tokens, UnknownPartError for a place."""
    demand_same_tokens(target.spec, source.spec)
    at, there = place_at(target, place), place_at(source, place if source_place is None else source_place)
    return Ends(*at, *there)


def place_at(lifted: Lifted, asked: str) -> tuple[str, int]:
    """Its name and its width. EditError where hidden states of one width do not pass."""
    place = place_of(lifted.spec, asked)
    if place.width is None or place.routes:
        raise EditError(f"{place.name} holds no hidden states of one width.", "Name a layer, attention or ffn.")
    return place.name, place.width

"""Offer: one thing that may be written next, and Scene: what there is to choose from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..verbs import Verb

if TYPE_CHECKING:
    from ..registry.specs import ModelSpec


@dataclass(frozen=True)
class Offer:
    """`kind`: verb, option, value, part, selector, model, variable or file."""

    text: str
    kind: str


@dataclass(frozen=True)
class Scene:
    """`spec` is None while the lift is empty. `cell` says that a cell follows the line.

    `options` are the face's own, with whether they take a value.
    """

    verbs: Mapping[str, Verb]
    spec: ModelSpec | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, bool] = field(default_factory=dict)
    cell: bool = False


def fitting(begun: str, offered: Iterable[Offer]) -> list[Offer]:
    """Those that begin so; where none does, the nearest, for a word mistyped."""
    known = list(dict.fromkeys(offered))
    found = [offer for offer in known if offer.text.startswith(begun)]
    if found or not begun:
        return found
    near = difflib.get_close_matches(begun, [offer.text for offer in known], cutoff=0.7)
    return [offer for text in near for offer in known if offer.text == text]


def of_kind(kind: str, texts: Iterable[str]) -> list[Offer]:
    return [Offer(text, kind) for text in texts]

"""Ensemble: of which models the logits are averaged, and in what words it is said that none are.

The mean of their logits is the simplest way to have what several models know, at the price of a forward pass of each
for every token. A model built of them must beat it to be worth more than running them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from .lineup import Lineup

RECORD = "garage_build"  # in the config of a model that was built here, with its donors by name


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """`members` by name; empty where there is none. `why_not` says why, where one could have been expected."""

    members: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def said(self) -> str:
        """With what it costs; empty where nobody expects one."""
        if not self.members:
            return f"none: {self.why_not}" if self.why_not else ""
        return f"the mean of the logits of {_listed(self.members)}, {len(self.members)} forward passes per token"


def demand_members(lineup: Lineup, asked: Sequence[str]) -> None:
    """InputError unless two or more of those that the judged model is held against are named."""
    _, *others = lineup.lifted
    unknown = [name for name in asked if name not in others]
    if unknown or len(set(asked)) < 2:
        what = f"{unknown[0]!r} is none of the models to judge against" if unknown else "An ensemble takes two models"
        raise InputError(f"{what}.", f"Name two or more of: {', '.join(others)}.")


def ensemble(lineup: Lineup, apart: Sequence[Sequence[str]], asked: Sequence[str] | None) -> Ensemble:
    """Of those asked for; else of two that the judged model is held against; else of those of several that it was
    built of, as its config says. `apart` says why models do not read the same tokens, for each pair of the line-up.
    """
    _, *others = lineup.lifted
    names = _wanted(lineup) if asked is None else tuple(dict.fromkeys(asked))
    if len(names) < 2:
        several = f"name those of the {len(others)} whose logits are to be averaged"
        return Ensemble(why_not=several if len(others) > 1 else "")
    first, *rest = (list(lineup.lifted).index(name) for name in names)
    for name, place in zip(names[1:], rest, strict=True):
        if said := apart[first][place]:
            return Ensemble(why_not=f"logits of {_listed((names[0], name))} cannot be averaged, {said}")
    return Ensemble(members=names)


def _wanted(lineup: Lineup) -> tuple[str, ...]:
    judged, *others = lineup.lifted.items()
    known, ids = _donors(judged[1].model), [one.spec.model_id for _, one in others]
    found = (name for name, own in zip(dict(others), ids, strict=True) if _is_of(known, name, own, ids.count(own) == 1))
    return tuple(dict(others)) if len(others) == 2 else tuple(found)


def _is_of(known: set[str], name: str, model_id: str, is_alone: bool) -> bool:
    """By its id only where no other has that: models that came from memory are all called alike."""
    return name in known or (is_alone and model_id in known)


def _donors(model: Any) -> set[str]:
    """By the names that its sheet gave them, and by their ids. A config may be anybody's: what is no name is none."""
    record = getattr(getattr(model, "config", None), RECORD, None)
    donors = record.get("donors") if isinstance(record, dict) else None
    found = donors if isinstance(donors, dict) else {}
    ids = (about.get("model_id") for about in found.values() if isinstance(about, dict))
    return {name for name in (*found, *ids) if isinstance(name, str)}


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"

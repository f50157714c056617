"""Scanning: every place of every layer over any number of prompts, for one subject after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...core.batch import Prompt
from ...core.sites import Tap
from ...core.stats import TAU, demand_threshold
from ...registry.lift import Lifted, lift
from ...registry.selecting import Selector
from ..texts.domains import ONE, Domains, texts_by_domain
from .answer import LIMITS, Scan, Subject
from .places import missing, places
from .reading import Found, found
from .rules import Limits


def scan(
    lifted: Lifted,
    prompts: Prompt | Domains,
    edits: Sequence[Tap] = (),
    layers: Selector | None = None,
    *,
    other: Any = None,
    tau: float = TAU,
    limits: Limits = LIMITS,
) -> Scan:
    """Every place named, or all of every layer. `prompts` by domain are a subject each; the untouched `other` model is
    one more for each, over the same prompts by its own tokenizer.

    What is kept does not grow with the prompts. Values that are not finite are counted, not refused. InputError for a
    place whose width changes from prompt to prompt, such as an attention pattern.
    """
    demand_threshold(tau)
    mine = _subjects(lifted, prompts, edits, layers, tau, limits)
    subjects = mine
    if other is not None:
        guest = lift(other)
        theirs = _subjects(guest, prompts, (), layers, tau, limits)
        ids = [lifted.spec.model_id, guest.spec.model_id]
        names = ids if len(set(ids)) == 2 else [ids[0], f"{ids[1]}, the other"]
        subjects = {**_called(mine, names[0]), **_called(theirs, names[1])}
    parts = dict.fromkeys(part for one in subjects.values() for part in one.gauges)
    models = dict.fromkeys(one.model_id for one in subjects.values())
    return Scan(" and ".join(models), tau, limits, subjects, tuple(parts))


def _subjects(
    lifted: Lifted,
    prompts: Prompt | Domains,
    edits: Sequence[Tap],
    layers: Selector | None,
    tau: float,
    limits: Limits,
) -> dict[str, Subject]:
    names, left = places(lifted.spec, layers), "" if layers is not None else missing(lifted.spec)
    texts = texts_by_domain(lifted, prompts)
    told: dict[str, Found] = {
        domain: found(lifted, batches, edits, names, tau, limits) for domain, batches in texts.items()
    }
    return {
        domain: Subject(
            lifted.spec.model_id, len(texts[domain]), one.tokens, one.gauges, tuple(filter(None, (left, *one.notes)))
        )
        for domain, one in told.items()
    }


def _called(subjects: Mapping[str, Subject], model: str) -> dict[str, Subject]:
    """By the model alone where its texts have no domains."""
    return {model if domain == ONE else f"{domain}, {model}": one for domain, one in subjects.items()}

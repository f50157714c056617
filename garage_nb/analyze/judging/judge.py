"""Judge: a model beside its donors, and beside the mean of their logits, on texts, on items, and by what it costs.

Nothing is better than what it was made of until it is measured beside that, on the same texts and items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...core.batch import Prompt
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ..texts.domains import Domains
from .cost import costs
from .ensemble import demand_members, ensemble
from .evaluation import Evaluation
from .lineup import lineup
from .on_items import on_items
from .on_texts import on_texts
from .questions import Given, questions


def judge(
    judged: Lifted,
    against: Mapping[str, Lifted],
    recipe: Recipe,
    *,
    texts: Prompt | Domains | None = None,
    exercises: Given | None = None,
    averaged: Sequence[str] | None = None,
    seed: int = 0,
) -> Evaluation:
    """With the recipe in force in the judged model only. `texts` as any prompts, by domain where they have one;
    `exercises` as pairs of prompt and answer, mappings with a domain too, or a file of them. Equal ones count once.

    Those `averaged` are an ensemble as well: the mean of their logits costs as much as all of them, and is what a model
    built of them must beat to be worth more than running them. None: the two that it is held against, or of more those
    that it was built of here. Where they read other tokens the answer says so and goes without. InputError for what
    cannot be asked, NotFiniteError for NaN, CancelledError; nothing is kept of what was begun.
    """
    alone = lineup(judged, against, recipe)
    if averaged is not None:
        demand_members(alone, averaged)
    asked = questions(alone, texts, exercises)
    reasons = asked.apart(alone)
    mean = ensemble(alone, reasons, averaged)
    line = replace(alone, averaged=mean.members)
    told = [reasons[0][reader] for reader in line.readers]
    return Evaluation(
        model_id=judged.spec.model_id,
        names=line.names,
        ensemble=mean,
        edits=len(recipe),
        texts=on_texts(line, asked.domains, asked.texts, [not why for why in told]) if asked.domains else None,
        items=on_items(line, asked.exercises, asked.rows) if asked.exercises else None,
        costs=tuple(costs(line, asked.timed(line))),
        notes={name: f"n/a: {why}" for name, why in zip(line.names, told, strict=True) if why},
        seed=seed,
    )

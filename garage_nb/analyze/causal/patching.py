"""Activation patching: what of a clean run, put into a corrupt one, brings the clean answer back.

Causal tracing of Meng et al., "Locating and Editing Factual Associations in GPT", 2022; denoising, metrics and their
normalisation as in Zhang and Nanda, "Towards Best Practices of Activation Patching in Language Models", 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.batch import Batch, Prompt
from ...core.tokens import Tokens
from ...errors import InputError
from ...inject.patch import Patch
from ...inject.recipe import Recipe
from ...inject.sources import chosen_rows
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ..texts.prompt import Words
from .aims import Question
from .contrast import Span, baselines, contrasted
from .gradients import estimated
from .metrics import Metric
from .pairs import Pair, each_pair, pairs_of, spans_of
from .patch_grid import PatchGrid
from .states import States, states
from .variants import measured, unedited

METHODS = ("exact", "attribution", "both")
Table = Float[Tensor, "parts spans"]


@dataclass(frozen=True, eq=False)
class Patched:
    """One pair: its metric, that of the clean and the corrupt run, and of every cell as measured and as estimated."""

    metric: Metric
    ends: tuple[float, float]
    exact: Table | None
    estimate: Table | None


def patching(
    lifted: Lifted,
    clean: Prompt,
    corrupt: Prompt,
    recipe: Recipe,
    parts: Selector,
    *,
    tokens: str = "each",
    metric: Any = "logit_difference",
    target: Any = None,
    foil: Any = None,
    method: str = "exact",
    seed: int = 0,
) -> PatchGrid:
    """Every part at every token, one run each: as rows of a batch over the blocks that no patch of theirs changes.

    One pair of prompts or several: each clean one stands against the corrupt one at its place. `tokens` is `each`, or
    which are patched together. Target and foil, one for all pairs or one for each, are what the clean and the corrupt
    run make likeliest unless given. The recipe is in force in both runs, before the patches. `method` attribution
    estimates all cells from one backward pass, both does both. `seed` is for the intervals. InputError for prompts of
    unlike length, and for two runs that the metric does not tell apart.
    """
    if method not in METHODS:
        raise InputError(f"There is no method {method!r} of patching.", f"There are: {', '.join(METHODS)}.")
    pairs, names = pairs_of(lifted, clean, corrupt), lifted.spec.usable(parts)
    spans = spans_of(pairs, names, tokens, Words(lifted.tokenizer))
    question = Question(metric, target, foil)
    question.demand_one_each(len(pairs))
    cells = _Cells(lifted, recipe, names, spans, question, method)
    done = each_pair(pairs, cells.of)
    texts, metrics = [pair.texts for pair in pairs], [one.metric for one in done]
    contrast = contrasted(texts, question.label(metrics, "clean"), [one.ends for one in done])
    tables = (_stacked([one.exact for one in done]), _stacked([one.estimate for one in done]))
    return PatchGrid(lifted.spec.model_id, contrast, tuple(names), spans, *tables, seed=seed)


@dataclass(frozen=True, eq=False)
class _Cells:
    """What is asked of every pair."""

    lifted: Lifted
    recipe: Recipe
    names: Sequence[str]
    spans: Sequence[Span]
    question: Question
    method: str

    def of(self, place: int, pair: Pair) -> Patched:
        clean, edits = self._states(pair.clean), list[Patch]()
        if self.method != "attribution":
            edits = [patch_at(name, clean.rows[name], span.said) for name in self.names for span in self.spans]
        before = unedited(self.lifted, pair.corrupt, self.recipe, edits)
        metric = self.question.between(place, clean.logits, before, Words(self.lifted.tokenizer))
        ends = baselines(metric, clean.logits, before)
        exact = self._exact(pair.corrupt, edits, metric, ends[1]) if edits else None
        if self.method == "exact":
            return Patched(metric, ends, exact, None)
        rough = estimated(self.lifted, pair.corrupt, self.recipe, clean.rows, self.spans, metric)
        return Patched(metric, ends, exact, rough)

    def _exact(self, corrupt: Batch, edits: Sequence[Patch], metric: Metric, before: float) -> Table:
        """Where both runs hold the same bits a patch changes nothing, and is not run."""
        held, found = self._states(corrupt), torch.full((len(edits),), before, dtype=torch.float64)
        places = [
            place
            for place, edit in enumerate(edits)
            if not torch.equal(chosen_rows(held.rows[edit.at], edit.tokens), edit.source)
        ]
        changing = [edits[place] for place in places]
        found[places] = measured(self.lifted, corrupt, self.recipe, changing, metric)
        return found.reshape(len(self.names), len(self.spans))

    def _states(self, batch: Batch) -> States:
        return states(self.lifted, batch, self.recipe.taps(self.lifted.spec), self.names)


def patch_at(name: str, rows: Tensor, span: str) -> Patch:
    return Patch(name, rows, span, tokens=Tokens(span))


def _stacked(tables: Sequence[Table | None]) -> Float[Tensor, "pairs parts spans"] | None:
    there = [table for table in tables if table is not None]
    return torch.stack(there) if there else None

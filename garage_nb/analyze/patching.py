"""Activation patching: what of a clean run, put into a corrupt one, brings the clean answer back.

Causal tracing of Meng et al., "Locating and Editing Factual Associations in GPT", 2022; denoising, metrics and their
normalisation as in Zhang and Nanda, "Towards Best Practices of Activation Patching in Language Models", 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

import torch
from torch import Tensor

from ..core.batch import Batch, Prompt
from ..core.parts import ENCODER, parse
from ..core.tokens import Tokens
from ..errors import InputError
from ..inject.patch import Patch
from ..inject.recipe import Recipe
from ..inject.sources import chosen_rows
from ..registry.lift import Lifted
from ..registry.selecting import Selector
from .aims import aim
from .gradients import estimated
from .metrics import Goal, Metric, metric_of
from .patch_grid import Contrast, PatchGrid, Span
from .prompt import Words, read_ids, said
from .prompts import single_prompt
from .states import states
from .variants import measured, unedited

METHODS = ("exact", "attribution", "both")
ALIKE = 1e-6  # of the larger baseline: a smaller difference is rounding in single precision


@dataclass(frozen=True, eq=False)
class Pair:
    """Two prompts of as many tokens, each with what it was said as."""

    clean: Batch
    corrupt: Batch
    texts: tuple[str, str]


def patching(
    lifted: Lifted,
    clean: Prompt,
    corrupt: Prompt,
    recipe: Recipe,
    parts: Selector,
    *,
    tokens: str = "each",
    metric: Any = "logit_difference",
    target: str | int | None = None,
    foil: str | int | None = None,
    method: str = "exact",
) -> PatchGrid:
    """Every part at every token, one run each: as rows of a batch over the blocks that no patch of theirs changes.

    `tokens` is `each`, or which are patched together. Target and foil are what the clean and the corrupt run make
    likeliest unless given. The recipe is in force in both runs, before the patches. `method` attribution estimates all
    cells from one backward pass, both does both. InputError for prompts of unlike length, and for two runs that the
    metric does not tell apart.
    """
    if method not in METHODS:
        raise InputError(f"There is no method {method!r} of patching.", f"There are: {', '.join(METHODS)}.")
    words, spec = Words(lifted.tokenizer), lifted.spec
    pair, names = paired(lifted, clean, corrupt, words), spec.usable(parts)
    spans = spans_of(pair, names, tokens, words)
    found = states(lifted, pair.clean, recipe.taps(spec), names)
    edits = [patch_at(name, rows, span.said) for name, rows in found.rows.items() for span in spans]
    before = unedited(lifted, pair.corrupt, recipe, edits if method != "attribution" else [])
    asked = metric_between(metric, words, found.logits, before, target, foil)
    contrast = contrasted(asked, pair, found.logits, before)
    shape = (len(names), len(spans))
    exact = None if method == "attribution" else measured(lifted, pair.corrupt, recipe, edits, asked).reshape(shape)
    estimate = None if method == "exact" else estimated(lifted, pair.corrupt, recipe, found.rows, spans, asked)
    return PatchGrid(spec.model_id, contrast, tuple(names), spans, exact, estimate)


def paired(lifted: Lifted, clean: Prompt, corrupt: Prompt, words: Words) -> Pair:
    """InputError for prompts of unlike length: their tokens have no places in common."""
    first, second = single_prompt(clean, lifted, "clean"), single_prompt(corrupt, lifted, "corrupt")
    for ids in ("input_ids", "decoder_input_ids"):
        lengths = [len(one[0]) for batch in (first, second) if (one := getattr(batch, ids)) is not None]
        if len(set(lengths)) > 1:
            raise InputError(
                f"The clean prompt has {lengths[0]} tokens, the corrupt one {lengths[1]}.",
                "Patching goes token by token: change words for others of as many tokens.",
            )
    return Pair(first, second, (said(clean, first, words), said(corrupt, second, words)))


def contrasted(metric: Metric, pair: Pair, clean: Tensor, corrupt: Tensor) -> Contrast:
    """InputError where the metric says the same of both runs: nothing is lost that could come back."""
    high, low = (float(metric(logits[None])[0]) for logits in (clean, corrupt))
    if isclose(high, low, rel_tol=ALIKE):
        raise InputError(
            f"{metric.label} is {high:.4g} under both prompts: there is nothing to bring back.",
            "Take prompts with different answers, or another metric, target or foil.",
        )
    return Contrast(*pair.texts, metric.label, high, low)


def metric_between(
    asked: Any, words: Words, clean: Tensor, corrupt: Tensor, target: str | int | None, foil: str | int | None
) -> Metric:
    goal = Goal(aim(target, clean, words), aim(foil, corrupt, words), clean)
    return metric_of(asked, goal, *words.of([goal.target, goal.foil]))


def spans_of(pair: Pair, names: Sequence[str], tokens: str, words: Words) -> tuple[Span, ...]:
    clean, corrupt = (words.of(_ids(batch, names).tolist()) for batch in (pair.clean, pair.corrupt))
    if tokens == "each":
        return tuple(Span(str(at), *both) for at, both in enumerate(zip(clean, corrupt, strict=True)))
    span = "prompt" if tokens == "all" else tokens
    touched = chosen_rows(torch.arange(len(clean))[:, None], Tokens(span))[:, 0].tolist()
    if len(touched) > 1:
        return (Span(span),)
    return (Span(span, clean[touched[0]], corrupt[touched[0]]),)


def _ids(batch: Batch, names: Sequence[str]) -> Tensor:
    """Those that the parts' stack reads. InputError for parts of both stacks: one's tokens are not the other's."""
    stacks = {address.stack for name in names if (address := parse(name)) is not None}
    if len(stacks) > 1:
        raise InputError(
            "Parts of the encoder and of the decoder read different tokens.", "Patch one of them at a time."
        )
    return batch.input_ids[0] if stacks == {ENCODER} else read_ids(batch)


def patch_at(name: str, rows: Tensor, span: str) -> Patch:
    return Patch(name, rows, span, tokens=Tokens(span))

"""Path patching: what goes straight from one place to another, and what the answer makes of that.

Two steps, as in Wang et al., "Interpretability in the Wild", 2022: the sender is the clean run's while every other
attention and ffn stays the corrupt run's, and what the receiver makes of that is kept; then the corrupt run, free but
for the receiver. Straight to the output, the first step is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..core.batch import Prompt
from ..core.parts import ENCODER, parse
from ..errors import InputError, UnsupportedModelError
from ..inject.patch import Patch
from ..inject.recipe import Recipe
from ..registry.lift import Lifted
from ..registry.selecting import Selector
from ..registry.specs import ModelSpec
from .patch_grid import PatchGrid
from .patching import contrasted, metric_between, paired, patch_at, spans_of
from .prompt import Words
from .states import states

OUTPUT = "output"
HALVES = ("attention", "cross_attention", "ffn")
TOLERANCE = 1e-3  # of the largest entry: what a block adds may be rounded in half precision


def path(
    lifted: Lifted,
    clean: Prompt,
    corrupt: Prompt,
    recipe: Recipe,
    senders: Selector,
    receiver: str = OUTPUT,
    *,
    tokens: str = "all",
    metric: Any = "logit_difference",
    target: str | int | None = None,
    foil: str | int | None = None,
) -> PatchGrid:
    """Every sender at the tokens named, one pass each. 0 where no path leads: a receiver that runs before the sender.

    Arguments and errors as of `patching`. InputError for a receiver that is no attention, ffn, head or neurons;
    UnsupportedModelError where blocks add more to the stream than their attention and ffn.
    """
    words, spec = Words(lifted.tokenizer), lifted.spec
    pair, names = paired(lifted, clean, corrupt, words), spec.usable(senders)
    heard = receiver if receiver == OUTPUT else _receiver(spec, receiver, names)
    spans = spans_of(pair, names, tokens, words)
    taps, halves = recipe.taps(spec), _halves(spec)
    sent = states(lifted, pair.clean, taps, names)
    _demand_sums(spec, states(lifted, pair.corrupt, [], [*halves, *_stream(spec)]).rows, halves)
    held = states(lifted, pair.corrupt, recipe.taps(spec), halves)
    asked = metric_between(metric, words, sent.logits, held.logits, target, foil)
    contrast = contrasted(asked, pair, sent.logits, held.logits)

    def answer(name: str, span: str) -> float:
        frozen = [Patch(half, held.rows[half]) for half in halves if half not in (_whole(name), _whole(heard))]
        first = Recipe((*recipe.edits, *frozen, patch_at(name, sent.rows[name], span)))
        found = states(lifted, pair.corrupt, first.taps(spec), [] if heard == OUTPUT else [heard])
        if heard != OUTPUT:
            second = Recipe((*recipe.edits, Patch(heard, found.rows[heard])))
            found = states(lifted, pair.corrupt, second.taps(spec), [])
        return float(asked(found.logits[None])[0])

    values = torch.tensor([[answer(name, span.said) for span in spans] for name in names], dtype=torch.float64)
    return PatchGrid(spec.model_id, contrast, tuple(names), spans, values, receiver=heard)


def _receiver(spec: ModelSpec, asked: str, senders: Sequence[str]) -> str:
    name = spec.name(asked)
    address = parse(name)
    if address is None or address.kind not in HALVES or address.stack == ENCODER:
        raise InputError(
            f"{name} is no receiver: it does not read the stream by itself.",
            "Name an attention, an ffn or a head, such as attention_3.head_1; or output.",
        )
    if _whole(name) in map(_whole, senders):
        raise InputError(f"{_whole(name)} would send to itself.", "Name a receiver that runs after the senders.")
    return name


def _whole(name: str) -> str:
    address = parse(name)
    return name if address is None else str(address.whole)


def _halves(spec: ModelSpec) -> list[str]:
    """What writes to the stream that the head reads."""
    named = ((name, parse(name)) for name in spec.available())
    return [name for name, one in named if one is not None and one.kind in HALVES and one.stack != ENCODER]


def _stream(spec: ModelSpec) -> list[str]:
    return ["layer_0.before", *(f"layer_{layer}" for layer in range(spec.num_layers))]


def _demand_sums(spec: ModelSpec, rows: dict[str, Tensor], halves: Sequence[str]) -> None:
    """Nothing may go from block to block but through what is held."""
    stream = _stream(spec)
    for layer, (before, after) in enumerate(pairwise(stream)):
        mine = [half for half in halves if (one := parse(half)) is not None and one.layer == layer]
        added = sum((rows[half] for half in mine), torch.zeros_like(rows[after]))
        if not bool((rows[before] + added - rows[after]).abs().max() <= TOLERANCE * rows[after].abs().max()):
            raise UnsupportedModelError(
                f"{after} of {spec.model_id} adds more to the stream than {' and '.join(mine) or 'its parts'}.",
                "Paths cannot be told apart here; use patching.",
            )

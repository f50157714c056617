"""Path patching: what goes straight from one place to another, and what the answer makes of that.

Two steps, as in Wang et al., "Interpretability in the Wild", 2022: the sender is the clean run's while every other
attention and ffn stays the corrupt run's, and what the receiver makes of that is kept; then the corrupt run, free but
for the receiver. Straight to the output, the first step is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.batch import Batch, Prompt
from ...core.parts import ENCODER, parse
from ...errors import InputError, UnsupportedModelError
from ...inject.patch import Patch
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ...registry.specs import ModelSpec
from ..texts.prompt import Words
from .aims import Question
from .contrast import Span, baselines, contrasted
from .metrics import Metric
from .pairs import Pair, each_pair, pairs_of, spans_of
from .patch_grid import PatchGrid
from .patching import patch_at
from .states import States, states

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
    target: Any = None,
    foil: Any = None,
    seed: int = 0,
) -> PatchGrid:
    """Every sender at the tokens named, one pass each. 0 where no path leads: a receiver that runs before the sender.

    Arguments and errors as of `patching`. InputError for a receiver that is no attention, ffn, head or neurons, and for
    senders of an encoder; UnsupportedModelError where blocks add more to the stream than their attention and ffn.
    """
    spec = lifted.spec
    pairs, names = pairs_of(lifted, clean, corrupt), _senders(spec, senders)
    heard = receiver if receiver == OUTPUT else _receiver(spec, receiver, names)
    spans = spans_of(pairs, names, tokens, Words(lifted.tokenizer))
    question = Question(metric, target, foil)
    question.demand_one_each(len(pairs))
    done = each_pair(pairs, _Paths(lifted, recipe, names, heard, spans, question).of)
    texts, metrics = [pair.texts for pair in pairs], [one.metric for one in done]
    contrast = contrasted(texts, question.label(metrics, "clean"), [one.ends for one in done])
    values = torch.stack([one.values for one in done])
    return PatchGrid(spec.model_id, contrast, tuple(names), spans, values, receiver=heard, seed=seed)


@dataclass(frozen=True, eq=False)
class _Told:
    """One pair: its metric, that of the clean and the corrupt run, and of every path."""

    metric: Metric
    ends: tuple[float, float]
    values: Float[Tensor, "senders spans"]


@dataclass(frozen=True, eq=False)
class _Paths:
    """What is asked of every pair."""

    lifted: Lifted
    recipe: Recipe
    senders: Sequence[str]
    heard: str
    spans: Sequence[Span]
    question: Question

    def of(self, place: int, pair: Pair) -> _Told:
        halves = _halves(self.lifted.spec)
        bare = states(self.lifted, pair.corrupt, [], [*halves, *_stream(self.lifted.spec)])
        _demand_sums(self.lifted.spec, bare.rows, halves)
        sent, held = self._run(pair.clean, self.recipe, self.senders), self._run(pair.corrupt, self.recipe, halves)
        metric = self.question.between(place, sent.logits, held.logits, Words(self.lifted.tokenizer))
        ends = baselines(metric, sent.logits, held.logits)
        patches = [[patch_at(name, sent.rows[name], span.said) for span in self.spans] for name in self.senders]
        values = [[float(metric(self._answer(pair, held, patch)[None])[0]) for patch in row] for row in patches]
        return _Told(metric, ends, torch.tensor(values, dtype=torch.float64))

    def _answer(self, pair: Pair, held: States, patch: Patch) -> Float[Tensor, " vocab"]:
        free = (_whole(patch.at), _whole(self.heard))
        frozen = [Patch(half, rows) for half, rows in held.rows.items() if half not in free]
        wanted = [] if self.heard == OUTPUT else [self.heard]
        found = self._run(pair.corrupt, Recipe((*self.recipe.edits, *frozen, patch)), wanted)
        if not wanted:
            return found.logits
        heard = Patch(self.heard, found.rows[self.heard])
        return self._run(pair.corrupt, Recipe((*self.recipe.edits, heard)), []).logits

    def _run(self, batch: Batch, recipe: Recipe, names: Sequence[str]) -> States:
        return states(self.lifted, batch, recipe.taps(self.lifted.spec), names)


def _senders(spec: ModelSpec, asked: Selector) -> list[str]:
    names = spec.usable(asked)
    encoders = [name for name in names if (one := parse(name)) is not None and one.stack == ENCODER]
    if encoders:
        raise InputError(
            f"{encoders[0]} is the encoder's: nothing goes straight from it to the answer.",
            "Name senders of the decoder, or use patching.",
        )
    return names


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

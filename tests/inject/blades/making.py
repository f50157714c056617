"""Blades for tests: tiny models with a tokenizer of words, and evidence that somebody might have measured."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from garage_nb.core.batch import Batch, prepare
from garage_nb.core.run import logits
from garage_nb.inject.blades.blade import Blade
from garage_nb.inject.blades.card import FitCard, ModelCard
from garage_nb.inject.blades.evidence import Arm, Evidence
from garage_nb.inject.blades.fitting.lessons import Lessons
from garage_nb.inject.edit import Edit
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import Lifted, lift
from tests.families import HIDDEN, prompt, tiny

LEARNED = ["gpt2", "llama", "mixtral"]
TEXTS = tuple(" ".join(f"w{(a * b + a) % 60 + 3}" for b in range(5, 17)) for a in range(2, 10))
LESSONS = Lessons(("w3 w4 w5", "w9 w8", "w7 w7 w20 w21"), (" w6", " w7 w6", " w22"))
EVIDENCE = Evidence(
    metric="log-prob, nats",
    arms=(Arm(name="blade", n=200, effect=0.21, low=0.1, high=0.3), Arm(name="noise", n=200, effect=0, low=-1, high=1)),
    retention=(Arm(name="sorting", n=100, effect=-0.01, low=-0.03, high=0.01),),
    seeds=(0, 1, 2),
    models={"target": "ab" * 16},
    data="cd" * 32,
    forwards=2,
)


class Words:
    """The tokenizer "w5 w6" -> 5, 6, as far as the garage asks one."""

    pad_token_id = 2

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": [int(word[1:]) for word in text.split()]}

    def get_vocab(self) -> dict[str, int]:
        return {f"w{number}": number for number in range(64)}


@cache
def lifted(family: str, seed: int = 0, **changes: int) -> Lifted:
    """To be left as it was."""
    live = lift(tiny(family, seed=seed, **changes))
    return replace(live, tokenizer=Words())


def bare(**changes: Any) -> Blade:
    """A direction, without evidence."""
    said: dict[str, Any] = {
        "name": "east",
        "kind": "direction",
        "place": "layer_1",
        "width": HIDDEN,
        "tensors": {"direction": torch.linspace(-1, 1, HIDDEN)},
        "settings": {"method": "mean", "positions": "-1"},
        "target": card("target"),
        "fit": FitCard(data="ef" * 32, n=8),
    }
    return Blade(**{**said, **changes})


def card(name: str) -> ModelCard:
    size = {"hidden_size": 32, "layers": 3, "vocabulary": 64}
    return ModelCard(model_id=name, model_class="LlamaForCausalLM", **size, tokenizer="", weights="0")


def under(live: Lifted, *edits: Edit, ids: Any = None) -> Tensor:
    batch = ids if isinstance(ids, Batch) else prepare(prompt() if ids is None else ids, live.model)
    return logits(live.model, batch, Recipe(edits).taps(live.spec))

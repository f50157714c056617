"""Grounds for tests: tiny models that read words, and items of two domains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from garage_nb.analyze.judging.exercise import Exercise
from garage_nb.inject.edit import Edit
from garage_nb.inject.recipe import Recipe
from garage_nb.methods.blades.making import SOURCE
from garage_nb.methods.studies.ground import Ground
from garage_nb.registry.lift import Lifted, lift
from tests.families import tiny
from tests.inject.blades.making import Words


class Tokens(Words):
    """That can be asked for a text which does not begin one, too."""

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return super().__call__(text)


def live(family: str, seed: int = 0, **changes: Any) -> Lifted:
    return replace(lift(tiny(family, seed=seed, **changes)), tokenizer=Tokens())


def asked(domain: str, start: int, count: int, step: int) -> list[Exercise]:
    """Each another text; `step` makes a domain's own."""
    rows = [[(step * one + one * place) % 60 + 3 for place in range(1, 8)] for one in range(start, start + count)]
    return [
        Exercise(ways=((" ".join(f"w{word}" for word in row[:5]), f" w{row[5]} w{row[6]}"),), domain=domain)
        for row in rows
    ]


def ground(target: Lifted, source: Lifted | None = None, *, test: int = 8) -> Ground:
    domains = {"near": 7, "far": 11}
    return Ground(
        target=target,
        others={} if source is None else {SOURCE: source},
        domain="near",
        fit={domain: asked(domain, 1, 12, step) for domain, step in domains.items()},
        choose={domain: asked(domain, 13, 6, step) for domain, step in domains.items()},
        test={domain: asked(domain, 19, test, step) for domain, step in domains.items()},
    )


def log_probs(lifted: Lifted, exercises: list[Exercise], *edits: Edit) -> torch.Tensor:
    """Of each answer, one text at a time, from transformers' own forward where there is no edit."""
    from garage_nb.core.batch import prepare
    from garage_nb.core.run import logits

    found = []
    for one in exercises:
        prompt, answer = (lifted.tokenizer(part)["input_ids"] for part in one.ways[0])
        ids = torch.tensor([prompt + answer])
        with torch.no_grad():
            batch = prepare(ids, lifted.model)
            taps = Recipe(edits).taps(lifted.spec)
            said = logits(lifted.model, batch, taps) if edits else lifted.model(ids, use_cache=False).logits
        chances = said[0].double().log_softmax(-1)
        found.append(sum(chances[len(prompt) + place - 1, word] for place, word in enumerate(answer)))
    return torch.stack(found)

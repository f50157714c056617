"""Harmful neurons: a planted one is found, and chance is not."""

from __future__ import annotations

import torch
from torch import Tensor

from garage_nb.analyze.pathways.effects import Effects, Tally
from garage_nb.analyze.pathways.harmful import harmful

NEURONS, ITEMS = 40, 25


def effects(seed: int, planted: list[int], size: float = 1.0) -> dict[str, Effects]:
    """Two parts, two domains; what is planted harms the second domain, from part b."""
    found = {}
    for place, name in enumerate("ab"):
        drawn: Tensor = torch.randn(
            2 * ITEMS, NEURONS, generator=torch.Generator().manual_seed(2 * seed + place), dtype=torch.float64
        )
        if name == "b":
            drawn[ITEMS:, planted] += size
        tally = Tally(2, NEURONS)
        tally.add(torch.arange(2 * ITEMS) // ITEMS, drawn)
        found[name] = tally.effects()
    return found


def test_what_is_planted_is_chosen_and_confirmed() -> None:
    found = harmful(effects(1, [3, 17], 2.0), effects(2, [3, 17], 2.0))

    assert set(found["b"].chosen[1].nonzero()[:, 0].tolist()) >= {3, 17}
    assert found["b"].confirmed[1].nonzero()[:, 0].tolist() == [3, 17]
    assert not found["a"].confirmed.any()
    assert not found["b"].confirmed[0].any()


def test_what_the_choosing_half_alone_shows_is_not_confirmed() -> None:
    found = harmful(effects(1, [3, 17], 2.0), effects(2, []))

    assert found["b"].chosen[1, [3, 17]].all()
    assert not found["b"].confirmed.any()


def test_a_neuron_that_helps_is_not_chosen() -> None:
    found = harmful(effects(1, [3], -2.0), effects(2, [3], -2.0))

    assert not found["b"].chosen[1, 3]


def test_chance_chooses_in_one_family_of_twenty() -> None:
    """Of 200 domains without any effect; at 0.05, more than 20 come once in ten thousand."""
    chosen = [harmful(effects(seed, []), effects(seed + 1000, [])) for seed in range(100)]

    families = sum(int(torch.cat([one["a"].chosen, one["b"].chosen], 1).any(1).sum()) for one in chosen)
    assert families <= 20
    assert not any(one[name].confirmed.any() for one in chosen[:20] for name in "ab")

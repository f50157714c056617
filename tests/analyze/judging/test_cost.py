"""Costs: memory byte by byte, and times that belong to the same moments."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.analyze.judging.cost import FEWEST, MOST, Cost, Span, covered
from garage_nb.analyze.judging.judge import judge
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import lift
from tests.analyze.judging.models import named
from tests.families import PROMPT, tiny

FAMILIES = ["gpt2", "llama", "mixtral", "gemma2"]


def costs_of(judged: Any, *others: Any) -> tuple[Cost, ...]:
    return judge(lift(judged), named(*map(lift, others)), Recipe(), texts=PROMPT).costs


def test_covered_counts_every_byte_once() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        starts = torch.randint(60, (8, 2), generator=generator).tolist()
        spans: list[Span] = [(f"device {at % 2}", start, start + length) for at, (start, length) in enumerate(starts)]

        expected = {(device, byte) for device, start, stop in spans for byte in range(start, stop)}

        assert covered(spans) == len(expected)
    assert covered([]) == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_are_counted_once(family: str) -> None:
    model, other = tiny(family), tiny(family, layers=5, seed=1)
    storages = {tensor.untyped_storage().data_ptr(): tensor for tensor in [*model.parameters(), *model.buffers()]}

    mine, theirs = costs_of(model, other)

    assert mine.parameters == sum(weight.numel() for weight in model.parameters())
    assert mine.bytes == sum(tensor.nbytes for tensor in storages.values())
    assert (mine.shared, theirs.shared) == (mine.bytes, 0)
    assert theirs.parameters > mine.parameters


def test_shared_memory_is_said(llama: Any) -> None:
    fork, blocks = tiny("llama", seed=1), llama.model.layers
    fork.model.layers[1] = blocks[1]
    fork.model.embed_tokens.weight = torch.nn.Parameter(llama.model.embed_tokens.weight.detach()[:])

    found = costs_of(fork, llama, tiny("llama", seed=2))

    expected = sum(weight.nbytes for weight in [*blocks[1].parameters(), llama.model.embed_tokens.weight])
    assert [cost.shared for cost in found] == [found[0].bytes, expected, 0, expected]
    assert found[3].bytes == found[1].bytes + found[2].bytes
    assert found[3].parameters == found[1].parameters + found[2].parameters


def test_times_are_of_the_same_rounds() -> None:
    shallow, deep = tiny("llama", layers=1), tiny("llama", layers=24)

    found = judge(lift(deep), named(lift(shallow), lift(deep)), Recipe(), texts=PROMPT)

    rounds = [len(cost.seconds) for cost in found.costs]
    assert len(set(rounds)) == 1
    assert FEWEST <= rounds[0] <= MOST
    assert all(taken > 0 for cost in found.costs for taken in cost.seconds)
    sums = [a + b for a, b in zip(found.costs[1].seconds, found.costs[2].seconds, strict=True)]
    assert list(found.costs[3].seconds) == sums
    one = found.of("milliseconds", "donor 0")
    ratios = sorted(a / b for a, b in zip(found.costs[0].seconds, found.costs[1].seconds, strict=True))
    assert one.change.value == pytest.approx(ratios[len(ratios) // 2], rel=0.2)
    assert (one.change.low, one.change.high) == (ratios[0], ratios[-1])
    assert one.change.value > 2

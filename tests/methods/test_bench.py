"""The bench: what it asks of a study, that it says the same twice, and that a cancelled trial leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
import torch

from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.errors import CancelledError, InputError
from garage_nb.methods.bench import run
from garage_nb.methods.claim import Effort
from garage_nb.methods.outcomes import Item, Marks
from garage_nb.methods.verdict import HOLDS
from tests.methods.synthetic import Planted, claim


@dataclass(frozen=True)
class Altered(Planted):
    """With every run as `change` makes it; None leaves it out."""

    change: Callable[[str, Marks], Marks | None] = lambda _, marks: marks

    def arms(self, seed: int, items: Sequence[Item]) -> Iterator[tuple[str, Marks]]:
        for arm, marks in super().arms(seed, items):
            changed = self.change(arm, marks)
            if changed is not None:
                yield arm, changed


def test_what_is_planted_is_found() -> None:
    found = run(claim(), Planted())

    assert found.verdict.ruling == HOLDS
    assert found.outcomes.seeds == (0, 1, 2)
    assert len(found.outcomes.items) == 80
    assert found.outcomes.arms == tuple(arm.name for arm in claim().arms)  # in the claim's order, whatever the study's


def test_the_same_seed_gives_the_same_table() -> None:
    first, again, other = (run(claim(), Planted(), seed=seed) for seed in (4, 4, 5))

    assert first.outcomes.frame().equals(again.outcomes.frame())
    assert first.frame().equals(again.frame())
    assert repr(first) == repr(again)
    assert not first.frame().equals(other.frame())
    assert other.outcomes.seeds == (5, 6, 7)


def test_in_full_there_is_more_of_all() -> None:
    found = run(claim(full=Effort(60, 4)), Planted(), full=True)

    assert len(found.outcomes.items) == 120
    assert len(found.outcomes.seeds) == 4


def test_a_no_op_that_does_something_is_refused() -> None:
    def change(arm: str, marks: Marks) -> Marks:
        if arm != "itself":
            return marks
        return replace(marks, log_probs=marks.log_probs.clone().index_fill_(0, torch.tensor([2]), -9.0))

    with pytest.raises(InputError, match="'itself' should do nothing, and differs from 'target' on 1 of 80 items"):
        run(claim(), Altered(change=change))


def test_a_study_of_another_claim_is_refused() -> None:
    with pytest.raises(InputError, match="ran no gated"):
        run(claim(), Altered(change=lambda arm, marks: None if arm == "gated" else marks))
    with pytest.raises(InputError, match="has no arm 'itself', or it was run already"):
        run(claim(arms=tuple(arm for arm in claim().arms if arm.name != "itself")), Planted())
    with pytest.raises(InputError, match="'target' of gated-over-shuffled is not marked on 80 items"):
        run(claim(), Altered(change=lambda _, marks: replace(marks, right=marks.right[1:])))


def test_it_stops_between_two_arms() -> None:
    cancel, seen = Cancel(), []

    def change(arm: str, marks: Marks) -> Marks:
        seen.append(arm)
        if len(seen) == 7:
            cancel.ask()
        return marks

    with pytest.raises(CancelledError), cancellable(cancel):
        run(claim(), Altered(change=change))

    assert len(seen) == 7


def test_the_global_numbers_stay() -> None:
    before = torch.get_rng_state()

    repr(run(claim(), Planted()))

    assert torch.equal(torch.get_rng_state(), before)

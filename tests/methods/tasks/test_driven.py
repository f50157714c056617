"""Claims through the driver: what a crew finds is what one process finds, it is run once, and what fails is told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.errors import CancelledError, EngineError, InputError
from garage_nb.fleet.driving.ledger import Ledger
from garage_nb.fleet.engines.crew import Crew
from garage_nb.fleet.engines.given import Given
from garage_nb.fleet.engines.here import Here
from garage_nb.fleet.engines.pool import Pool
from garage_nb.methods.bench import Study
from garage_nb.methods.claim import Effort
from garage_nb.methods.claims.table import PROPOSALS
from garage_nb.methods.proposal import Proposal
from garage_nb.methods.studies.answering import alone
from garage_nb.methods.studies.course import Course
from garage_nb.methods.studies.ground import EXPERTS, Ground
from garage_nb.methods.studies.papers import Answering
from garage_nb.methods.tasks.driven import driven
from garage_nb.methods.tasks.run_task import RunTask, one_thread
from garage_nb.methods.together import tried_together
from garage_nb.methods.trial import Trial
from tests.methods.claims.trying import FEW, ground_for

DEBATE, CALIBRATION, SPARSE, PEAK = (
    replace(PROPOSALS[key], quick=FEW)
    for key in ("debate-in-place", "router-calibration", "sparse-pathways-50", "interior-peak")
)


@dataclass(frozen=True)
class Few:
    """The ground of a few items for a claim, as any process opens it."""

    claim: str

    def opened(self) -> Ground:
        return ground_for(PROPOSALS[self.claim])


def named_for(needs: tuple[str, ...]) -> Few:
    """With no other model, or of a model of experts."""
    known = {one.needs: one.key for one in (DEBATE, CALIBRATION)}
    if needs not in known:
        raise InputError("This claim takes other models.", "Give them.")
    return Few(known[needs])


def on(crew: Crew, folder: Path, *proposals: Proposal) -> Callable[[Proposal], Trial]:
    return driven(proposals, named_for, crew, Ledger(folder), seed=3)


def demand_same(found: Trial, one: Proposal) -> None:
    """As one process finds it."""
    with one_thread():
        alone = one.tried(named_for(one.needs).opened(), seed=3)
    assert found.outcomes.frame().equals(alone.outcomes.frame())
    assert found.frame().equals(alone.frame())
    assert (found.claim, repr(found)) == (alone.claim, repr(alone))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes found."""
    folder = tmp_path_factory.mktemp("ledger")
    tell = on(Pool(2), folder, DEBATE, PEAK)
    demand_same(tell(DEBATE), DEBATE)
    with pytest.raises(InputError, match="takes other models"):
        tell(PEAK)
    return folder


def test_what_a_pool_found_is_not_run_again(folder: Path) -> None:
    """The second time by an executor that takes nothing."""
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    before = {path: path.read_bytes() for path in folder.iterdir()}

    demand_same(on(Given(closed), folder, DEBATE)(DEBATE), DEBATE)

    assert len(before) == FEW.seeds
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_threads_of_one_process_take_turns(tmp_path: Path) -> None:
    """What a study remembers is one seed's or every seed's; and threads are as many as before."""
    before = torch.get_num_threads()

    with ThreadPoolExecutor(4) as threads:
        tell = on(Given(threads), tmp_path, DEBATE, CALIBRATION)

    demand_same(tell(DEBATE), DEBATE)
    demand_same(tell(CALIBRATION), CALIBRATION)
    assert torch.get_num_threads() == before


def test_what_a_run_refuses_is_an_answer_too(tmp_path: Path) -> None:
    """In the middle of it: a model of experts has no neurons outside them. The second time it is read."""
    sparse = replace(SPARSE, needs=(EXPERTS,))

    for _ in range(2):
        found = tried_together([sparse, CALIBRATION], on(Here(), tmp_path, sparse, CALIBRATION))
        assert found.left_out == {SPARSE.key: "ffn_0 of showroom-moe has no neurons that can be read."}
        assert len([*tmp_path.iterdir()]) == 2 * FEW.seeds


def test_a_run_that_fails_is_told_and_takes_no_other_with_it(tmp_path: Path) -> None:
    def fails(seed: int) -> Answering:
        raise ZeroDivisionError("of its own")

    tell = on(Here(), tmp_path, broken("poisoned", fails), DEBATE)

    said = "poisoned under seed 3 could not be run: ZeroDivisionError: of its own"
    with pytest.raises(EngineError, match=said):
        tell(broken("poisoned", fails))
    found = tried_together([broken("poisoned", fails), DEBATE], tell)
    assert found.left_out == {"poisoned": said}
    demand_same(found[DEBATE.key], DEBATE)


def test_what_was_done_before_a_cancel_is_kept(tmp_path: Path) -> None:
    cancel = Cancel()

    def asks(seed: int) -> Answering:
        cancel.ask()
        return alone(named_for(()).opened().target)

    with pytest.raises(CancelledError, match="cancelled"), cancellable(cancel):
        on(Here(), tmp_path, DEBATE, broken("cancelled", asks))

    assert len([*tmp_path.iterdir()]) == FEW.seeds
    demand_same(on(Here(), tmp_path, DEBATE)(DEBATE), DEBATE)


def broken(key: str, answering: Callable[[int], Answering]) -> Proposal:
    """The claim with another last arm."""

    def study(ground: Ground, effort: Effort) -> Study:
        real = DEBATE.study(ground, effort)
        assert isinstance(real, Course)
        return Course(ground, [*real.runs[:-1], replace(real.runs[-1], answering=answering)])

    return replace(DEBATE, key=key, study=study)


def test_a_worker_whose_files_are_others_is_told() -> None:
    """It has no ground at hand."""
    asked = RunTask(claim=DEBATE.key, effort=FEW, seed=3, ground=Few(DEBATE.key), begun="of other weights")

    with pytest.raises(EngineError, match="models, tokenizers or items for debate-in-place are not those asked about"):
        asked.run()

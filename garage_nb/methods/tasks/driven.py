"""Driven: claims tried by a crew, every seed of every claim a task, and what is done stays in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from ...core.cancel import cancel_in_force, cancellable
from ...core.progress import progress
from ...errors import REFUSALS, EngineError, GarageError
from ...fleet.driving.driver import Settled, drive
from ...fleet.driving.ledger import Ledger
from ...fleet.engines.crew import Crew
from ..bench import trial_of
from ..claim import Effort
from ..proposal import Proposal
from ..studies.ground import Ground
from ..trial import Trial
from .answer import marks_in
from .begun import Begun, NamedGround
from .run_task import RunTask, at_hand, one_thread


@dataclass(frozen=True, eq=False)
class _Entry:
    begun: Begun
    tasks: Sequence[RunTask]


def driven(
    proposals: Iterable[Proposal],
    named_for: Callable[[tuple[str, ...]], NamedGround],
    crew: Crew,
    ledger: Ledger,
    *,
    full: bool = False,
    seed: int = 0,
) -> Callable[[Proposal], Trial]:
    """The runs of all of them, each on the ground for the models it needs, which is opened here too; then what tells
    of one, or why it was refused: the same as `Proposal.tried` on one thread, whoever ran it. What the ledger knows is
    not run again.

    EngineError where there are no workers, LedgerError, CancelledError; of one claim EngineError where a run of it
    failed. What was done is kept.
    """
    opened = cache(lambda named: named.opened())
    entries: dict[str, _Entry] = {}
    refused: dict[str, GarageError] = {}
    for one in proposals:
        try:
            named = named_for(one.needs)
            entries[one.key] = _entry(one, named, opened(named), one.full if full else one.quick, seed)
        except REFUSALS as error:
            refused[one.key] = error
    found = _settled([*entries.values()], crew, ledger)

    def tell(proposal: Proposal) -> Trial:
        if proposal.key in refused:
            raise refused[proposal.key]
        return _trial(entries[proposal.key], found)

    return tell


def _entry(proposal: Proposal, named: NamedGround, ground: Ground, effort: Effort, seed: int) -> _Entry:
    with one_thread():
        begun = Begun.of(proposal, ground, effort)
    task = RunTask(claim=proposal.key, effort=effort, seed=seed, ground=named, begun=begun.digest)
    return _Entry(begun, [replace(task, seed=one) for one in range(seed, seed + effort.seeds)])


def _settled(entries: Sequence[_Entry], crew: Crew, ledger: Ledger) -> Mapping[RunTask, Settled]:
    tasks = [task for entry in entries for task in entry.tasks]
    found: dict[RunTask, Settled] = {}
    with (
        at_hand([entry.begun for entry in entries]),
        cancellable(cancel_in_force()) as cancel,
        progress("trying claims", "run", len(tasks)) as bar,
        crew,
    ):
        for one in drive(tasks, crew, ledger, cancel=cancel):
            found[tasks[one.number]] = one
            bar.update()
    return found


def _trial(entry: _Entry, found: Mapping[RunTask, Settled]) -> Trial:
    begun = entry.begun
    runs = {task.seed: marks_in(_data(found[task])) for task in entry.tasks}
    return trial_of(begun.claim, begun.study, begun.items, runs)


def _data(one: Settled) -> bytes:
    if one.data is None:
        [aside] = one.aside
        raise EngineError(f"{aside.where} could not be run: {aside.why}", "Mend it and ask again: the rest is kept.")
    return one.data

"""Run task: one claim under one seed, for any worker.

On one thread, so that the numbers do not depend on how many a machine has; and one after the other in a process, for a
study remembers what no seed changes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch

from ...core.sealed import digest
from ...errors import REFUSALS, EngineError
from ...fleet.driving.task import Task
from ...fleet.hand import Hand
from ..bench import marks_under
from ..claim import Effort
from ..claims.table import proposal
from ..studies.ground import Ground
from . import answer
from .begun import Begun, NamedGround

_TURN = threading.Lock()
_READY: Hand[str, Begun] = Hand()


@dataclass(frozen=True, kw_only=True)
class RunTask:
    """`begun` is the digest of what it is a run of."""

    claim: str
    effort: Effort
    seed: int
    ground: NamedGround
    begun: str

    @property
    def key(self) -> str:
        return digest(f"{self.begun} {self.seed}".encode())

    @property
    def where(self) -> str:
        return f"{self.claim} under seed {self.seed}"

    def run(self) -> bytes:
        """What a study refuses is an answer too. EngineError where this machine would try something else."""
        with _TURN, one_thread():
            begun = _READY.find(self.begun) or _opened(self.claim, self.effort, self.ground)
            self._demand_same(begun)
            try:
                return answer.of_marks(marks_under(begun.claim, begun.study, begun.items, self.seed))
            except REFUSALS as error:
                return answer.of_refusal(error)

    def pieces(self) -> Sequence[Task]:
        return [self]

    def without(self, pieces: Sequence[Task]) -> Task | None:
        return None if self in pieces else self

    def _demand_same(self, begun: Begun) -> None:
        if begun.digest != self.begun:
            raise EngineError(
                f"A worker's models, tokenizers or items for {self.claim} are not those asked about.",
                "Give all workers the same files, or take `--on here`.",
            )


@contextmanager
def at_hand(several: Sequence[Begun]) -> Iterator[None]:
    """Runs in this process use these, and open nothing again."""
    with ExitStack() as stack:
        for one in several:
            stack.enter_context(_READY.holding(one.digest, one))
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _opened(claim: str, effort: Effort, named: NamedGround) -> Begun:
    return Begun.of(proposal(claim), _ground(named), effort)


@lru_cache(maxsize=1)
def _ground(named: NamedGround) -> Ground:
    return named.opened()

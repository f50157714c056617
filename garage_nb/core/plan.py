"""Plan: what a question needs of a model, worked out before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .chain import Chain
from .sites import Tap, Write


@dataclass(frozen=True)
class Plan:
    """Blocks `first` up to `stop` of `blocks` run. `logits`: for how many of the last positions, 0 all, None none.

    The blocks before `first` need not run where what leaves them is kept of an earlier run. `edits` and `reads` are how
    many there are.
    """

    blocks: int
    first: int
    stop: int
    logits: int | None
    edits: int
    reads: int

    def explain(self) -> str:
        """One sentence."""
        counted = [_count(number, word) for number, word in ((self.edits, "edit"), (self.reads, "reading")) if number]
        return "; ".join([self._run(), self._logits(), *counted]) + "."

    def _run(self) -> str:
        if not self.blocks:
            return "Runs the whole model"
        kept = f", taking what left block {self.first - 1} from an earlier run" if self.first else ""
        if self.first >= self.stop:
            return f"Runs none of {self.blocks} blocks{kept}"
        stops = " and stops" if self.stop < self.blocks else ""
        return f"Runs {_span(self.first, self.stop)} of {self.blocks}{stops}{kept}"

    def _logits(self) -> str:
        return "no logits" if self.logits is None else f"logits of {_positions(self.logits)}"


def planned(chain: Chain, taps: Sequence[Tap], logits: int | None) -> Plan:
    """The least that answers: from the first block that is read or changed, to the last one that is read."""
    writes = [tap for tap in taps if isinstance(tap, Write)]
    others = [tap for tap in taps if not isinstance(tap, Write)]
    stop = len(chain) if logits is not None else min(chain.last(tap.site for tap in others) + 1, len(chain))
    starts = [chain.start(write.site) for write in writes]
    return Plan(
        blocks=len(chain),
        first=min([*starts, chain.first(tap.site for tap in others), stop]) if starts else 0,
        stop=stop,
        logits=logits,
        edits=len(writes),
        reads=len(others),
    )


def _span(start: int, stop: int) -> str:
    return f"block {start}" if stop - start == 1 else f"blocks {start} to {stop - 1}"


def _positions(last: int) -> str:
    return {0: "all tokens", 1: "the last token"}.get(last, f"the last {last} tokens")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"

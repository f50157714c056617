"""Heads: which attend to the token before, to equal tokens, behind them, or to the first."""

from __future__ import annotations

from collections.abc import Iterator

from ....analyze.attention.head_scores import SHARES
from ....analyze.attention.heads import Heads, heads
from ....registry.part_spec import PartType
from ....view.bars import number
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter


def _read(case: Case) -> Iterator[Picture | Remark]:
    found = heads(case.lifted, None, case.taps, case.parts_written(PartType.ATTENTION), seed=case.seed)
    for kind in SHARES:
        yield found.plot(kind)
    yield found.picture()
    yield from _remarks(found)


def _remarks(found: Heads) -> Iterator[Remark]:
    for kind in SHARES:
        called = found.of_kind(kind)
        if called:
            score = found.scores[called[0]][kind]
            some = "one head is" if len(called) == 1 else f"{len(called)} heads are"
            yield Remark(
                said=f"Of {len(found.scores)} heads {some} of the kind {kind.replace('_', ' ')}; {called[0]} most, with"
                f" {number(score)} of its attention",
                rule=f"share of attention of the kind {kind.replace('_', ' ')}",
                value=score,
                threshold=found.threshold,
            )


HEADS = Chapter(
    key="heads",
    title="What the heads look at",
    shows="On random tokens said twice, which share of each head's attention goes to the token before, to earlier equal"
    " tokens, behind these, and to the first.",
    hides="A kind is a pattern of attention: whether the head's output matters is not in it.",
    verb="heads",
    read=_read,
)

"""Parts: what the answer is without each of them, and the machine in the colours of that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ....analyze.causal.ablation import AblationScan, ablation
from ....drawing.marks import Marks
from ....drawing.picture import drawn
from ....drawing.shade import Shade
from ....errors import shortened
from ....plain import count
from ....registry.part_spec import PartType
from ....registry.specs import ModelSpec
from ....view.bars import number
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter

MATTERS, IDLE = 0.1, 0.01  # nats
SOME = 0.1  # share of all parts
KINDS = (PartType.ATTENTION, PartType.CROSS_ATTENTION, PartType.MIXER, PartType.FFN)
LABEL = "KL from the untouched answer with the part at its mean, nats"


@dataclass(frozen=True)
class Machine:
    """A model drawn upright, its parts coloured by a number each."""

    spec: ModelSpec
    shade: Shade

    def text(self) -> str:
        return self.shade.told

    def html(self) -> str:
        return drawn(self.spec, Marks(shade=self.shade), "The residual stream runs upwards.")


def _read(case: Case) -> Iterator[Picture | Remark]:
    names = case.parts(*KINDS)
    found = ablation(case.lifted, case.prompts, case.recipe, names, how="mean", metric="divergence", seed=case.seed)
    yield Machine(case.lifted.spec, Shade(dict(zip(found.parts, found.interval.mean.tolist(), strict=True)), LABEL))
    yield found.plot()
    yield found.picture()
    yield from _remarks(found)


def _remarks(found: AblationScan) -> Iterator[Remark]:
    mean, low, high = found.interval.mean, found.interval.low, found.interval.high
    most = int(mean.argmax())
    sure = "" if len(found.prompts) < 2 else f" (95 %: {number(float(low[most]))} to {number(float(high[most]))})"
    yield Remark(
        said=f"Without {found.parts[most]} the answer is farthest from what it was: {number(float(mean[most]))}"
        f" nats{sure}",
        rule="KL from the untouched answer without one part, nats",
        value=float(mean[most]),
        threshold=MATTERS,
    )
    idle = [part for part, edge in zip(found.parts, high.tolist(), strict=True) if edge <= IDLE]
    yield Remark(
        said=f"{len(idle)} of {count(len(found.parts), 'part')} can be at its mean with hardly a change (up to {IDLE:g}"
        f" nats, by the upper end of the interval), one at a time: {shortened(idle)}",
        rule="share of parts without which the answer hardly moves",
        value=len(idle) / len(found.parts),
        threshold=SOME,
    )


PARTS = Chapter(
    key="parts",
    title="What each part is worth",
    shows="How far the next token's probabilities move when one part after the other gives its mean instead, with"
    " a 95 % interval over prompts.",
    hides="Parts that stand in for each other each look worthless here, and nothing is said of several at once.",
    verb="ablation",
    read=_read,
)

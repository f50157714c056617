"""Stream: what passes every place of the model over all texts, and what of it is out of the ordinary."""

from __future__ import annotations

from collections.abc import Iterator

from ....analyze.scan.answer import Scan
from ....analyze.scan.rules import Anomaly
from ....analyze.scan.scan import scan
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter

MEASURES = ("norm", "sparsity")
TOLD = ("outlier dimensions", "exploding norm", "non-finite values")  # of the others other sections know more
RULES = {
    "outlier dimensions": "rms of one dimension over that of the median one",
    "exploding norm": "norm over that at the place before",
    "non-finite values": "NaN and infinite entries",
}


def _read(case: Case) -> Iterator[Picture | Remark]:
    found = scan(case.lifted, case.together, case.taps)
    for measure in MEASURES:
        yield found.plot(measure)
    if found.anomalies:
        yield found.anomalies.picture()
    yield found.picture()
    yield from _remarks(found)


def _remarks(found: Scan) -> Iterator[Remark]:
    for kind in TOLD:
        several = list(found.of_kind(kind))
        if several:
            most = max(several, key=lambda one: one.amount)
            yield _remark(most, len(several) - 1)


def _remark(most: Anomaly, others: int) -> Remark:
    is_broken = most.kind == "non-finite values"
    more = f", and {others} more places" if others > 1 else ", and one more place" if others else ""
    return Remark(
        said=f"{most.place}: {most}{more}",
        rule=RULES[most.kind],
        value=most.amount,
        threshold=max(most.threshold, 1),
        grave=is_broken,
    )


STREAM = Chapter(
    key="stream",
    title="What passes through it",
    shows="Norm, growth, sparsity and entropy at every place over all tokens, with what stands out by thresholds that"
    " are named.",
    hides="Large or sparse is not good or bad: it says where to look, not what is computed there.",
    verb="scan",
    read=_read,
)

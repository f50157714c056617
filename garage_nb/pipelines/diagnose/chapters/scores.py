"""Scores: how well it does on texts and on items, domain by domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....analyze.judging.alone import alone
from ....analyze.judging.exercise import ALL
from ....analyze.judging.finding import MEASURES, Finding
from ....view.bars import Column, Table, number
from ....view.dots import dots
from ....view.figure import Plot
from ....view.frames import framed
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter

FAR = 1.0  # from where on the intervals do not meet


def _read(case: Case) -> Iterator[Picture | Remark]:
    case.demand_texts()
    found = alone(case.lifted, case.recipe, case.domains, case.exercises, seed=case.seed)
    for measure in ("accuracy", "perplexity"):
        mine = [one for one in found if one.measure == measure]
        if mine:
            if len(mine) > 1:
                yield _plot(mine)
            yield _table(mine)
            yield from _remarks(mine)


def _plot(found: Sequence[Finding]) -> Plot:
    kind, names = MEASURES[found[0].measure], [one.domain for one in found]
    label = f"{kind.defined}, {kind.sure}"
    drawn = dots(names, {found[0].model: [one.estimate for one in found]}, label.replace(" %", "\u00a0%"))
    rows = [[one.estimate.value, one.estimate.low, one.estimate.high, one.n] for one in found]
    return Plot(
        drawn, f"{label}; {len(names)} domains", lambda: framed("domain", names, ["value", "low", "high", "n"], rows)
    )


def _table(found: Sequence[Finding]) -> Table:
    kind = MEASURES[found[0].measure]
    columns = [
        Column(kind.said, [one.estimate.value for one in found], bar=True),
        Column("95 % from", [one.estimate.low for one in found]),
        Column("to", [one.estimate.high for one in found]),
        Column("items" if kind.order > 0 else "texts", [one.n for one in found]),
    ]
    return Table([one.domain for one in found], columns, title=kind.defined)


def _remarks(found: Sequence[Finding]) -> Iterator[Remark]:
    """The domain that is worst beyond doubt: its interval and that of all do not meet."""
    whole, *each = found
    if whole.domain != ALL:
        return
    kind = MEASURES[whole.measure]
    worst = min(each, key=lambda one: one.estimate.value * kind.order)
    near, edge = (
        (worst.estimate.high, whole.estimate.low) if kind.order > 0 else (whole.estimate.high, worst.estimate.low)
    )
    yield Remark(
        said=f"{worst.domain} is where it is worst: {kind.said} {number(worst.estimate.value)}"
        f" ({number(worst.estimate.low)} to {number(worst.estimate.high)}), {number(whole.estimate.value)} over all",
        rule=f"{kind.said} of all and of the worst domain: ratio of the near ends of their 95 % intervals",
        value=edge / near if near else float("inf"),
        threshold=FAR,
    )


SCORES = Chapter(
    key="scores",
    title="How well it does",
    shows="Accuracy on items and perplexity on texts, domain by domain, with 95 % intervals.",
    hides="It holds for these texts and items; another model's perplexity counts only where both read the same tokens.",
    verb="judge",
    read=_read,
)

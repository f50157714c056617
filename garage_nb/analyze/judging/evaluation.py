"""Evaluation: what a model was judged to be, beside those it is held against."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...errors import InputError
from ...plain import count
from ...view.bars import Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn, Picture
from .boards import boards
from .cost import Cost
from .ensemble import Ensemble
from .evaluation_table import EXACT, reach, table
from .finding import MEASURES, Finding
from .findings import of_costs, of_items, of_texts
from .on_items import OnItems
from .on_texts import OnTexts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLUMNS = ("value", "low", "high", "n", "compared", "change", "change_low", "change_high")
TESTED = ("p", "p_holm", "smallest", "verdict", "note")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Evaluation(Drawn):
    """`names` are the judged model, those it is held against, and the `ensemble` of some of these, where there is one.

    Intervals are at 95 %: of texts a bootstrap over texts, in pairs for a change; of accuracy Wilson's, of its change
    Bonett and Price's. Accuracy is told apart by McNemar's exact test at 0.05, adjusted by Holm over domains; texts by
    the interval of the change. Of timing low and high are the fastest and the slowest round. Perplexity is compared
    only where both read the same tokens, nats per byte always; `notes` say by name why tokens are not the same.
    """

    model_id: str
    names: tuple[str, ...]
    ensemble: Ensemble
    edits: int
    texts: OnTexts | None
    items: OnItems | None
    costs: tuple[Cost, ...]
    notes: Mapping[str, str]
    seed: int = 0

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        texts = () if self.texts is None else of_texts(self.names, self.texts, self.notes, self.seed)
        items = () if self.items is None else of_items(self.names, self.items)
        found = (*texts, *items, *of_costs(self.names, self.costs))
        return tuple(sorted(found, key=lambda one: [*MEASURES].index(one.measure)))

    @property
    def measures(self) -> list[str]:
        return list(dict.fromkeys(one.measure for one in self.findings))

    def of(self, measure: str, model: str, domain: str | None = None) -> Finding:
        """Of all domains together when none is named. InputError for what was not measured."""
        mine = [one for one in self._measured(measure) if one.model == model]
        found = [one for one in mine if domain in (None, one.domain)]
        if not found:
            known = [one.domain for one in mine] if mine else self.names
            asked = f"domain {domain!r} of {model!r}" if mine else f"{measure!r} of {model!r}"
            raise InputError(f"There is no {asked}.", f"There are: {', '.join(known)}.")
        return found[0]

    def frame(self) -> pd.DataFrame:
        """One row a measure, model and domain. `change` is the judged model's value by that one's, or less it, as
        `compared` says; p is McNemar's; `smallest` is the difference that so many items would show 4 times in 5.
        """
        keys = [(one.measure, one.model, one.domain) for one in self.findings]
        return framed(("measure", "model", "domain"), keys, [*COLUMNS, *TESTED], map(_row, self.findings))

    def plot(self, measure: str | None = None, ax: Axes | None = None) -> Plot:
        """A dot a model and domain, the judged one amber: of accuracy, or of perplexity where there are no items."""
        from ...view.dots import dots

        wanted = measure or ("perplexity" if self.items is None else "accuracy")
        mine = self._measured(wanted)
        series = {name: [one for one in mine if one.model == name] for name in dict.fromkeys(one.model for one in mine)}
        kind, domains = MEASURES[wanted], list(dict.fromkeys(one.domain for one in mine))
        label = f"{kind.defined}, {kind.sure}"
        drawn = {name: [one.estimate for one in found] for name, found in series.items()}
        picture = dots(domains, drawn, label.replace(" %", "\u00a0%"), changed=self.names[0], ax=ax)
        return Plot(picture, f"{label}; {len(domains)} domains, {', '.join(series)}", self.frame)

    def picture(self) -> Picture:
        """Two models side by side, three or more below each other."""
        if len(self.names) <= 2:
            return self.table()
        facts = {
            "judged by": self._counted,
            "better, worse": f"where that is sure at 95 %; {EXACT}",
            "ensemble": self.ensemble.said,
            "reach": reach(self.findings),
            **self.notes,
        }
        return boards(self.names, self.findings, {name: said for name, said in facts.items() if said}, bool(self.notes))

    def table(self) -> Table:
        """One table of all, with models in columns and a row a measure and domain."""
        counted = " · ".join([self._counted, *([f"ensemble: {self.ensemble.said}"] if self.ensemble.said else [])])
        return table(self.names, self.findings, counted, self.notes)

    def _measured(self, measure: str) -> list[Finding]:
        found = [one for one in self.findings if one.measure == measure]
        if not found:
            raise InputError(f"There is no measure {measure!r}.", f"There are: {', '.join(self.measures)}.")
        return found

    @property
    def _counted(self) -> str:
        told = []
        if self.texts is not None:
            texts, tokens = len(self.texts.domains), int(self.texts.tokens[0].sum())
            told.append(f"{count(texts, 'text')} of {count(tokens, 'token')}")
        if self.items is not None:
            told.append(count(len(self.items.domains), "item"))
        if self.edits:
            told.append(f"{count(self.edits, 'edit')} in force in the judged model")
        timed = f"timed in {len(self.costs[0].seconds)} rounds of {count(self.costs[0].tokens, 'token')}"
        return ", ".join([*told, timed])


def _row(one: Finding) -> Sequence[object]:
    kind, there, change = MEASURES[one.measure], one.estimate, one.change
    compared = "" if math.isnan(change.value) else kind.compared
    return [
        *(there.value, there.low, there.high, one.n, compared, change.value, change.low, change.high),
        *(one.p, one.adjusted, one.smallest, one.verdict, one.note),
    ]

"""Scan: what every place of a model does over many prompts, several subjects side by side, and what was flagged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...errors import InputError, UnknownPartError, nearest
from ...view.bars import Column, Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from .places import kind_of
from .rules import KINDS, Anomalies, Anomaly, Limits, anomalies
from .sums import STATISTICS, Gauge

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SHOWN, SUBJECTS = 64, 6  # rows and subjects of a table; the frame holds them all
WHOLE = 2  # subjects of which a table has all columns
LIMITS = Limits()
LABELS = {
    "norm": "norm ‖x‖, mean over tokens",
    "growth": "growth ‖y‖ / ‖x‖ from the place of the stream before, mean over tokens",
    "peak": "largest |x| over the rms of all entries",
    "outlier": "rms of the largest dimension over that of the median one",
    "mean": "mean of a token's entries, mean over tokens",
    "std": "standard deviation of a token's entries, mean over tokens",
    "sparsity": "sparsity of a token, share of |x| ≤ {tau:g} σ, mean over tokens",
    "exact_zeros": "exact zeros, share of entries",
    "entropy": "entropy of a token's energy over dimensions, nats, mean over tokens",
    "kurtosis": "kurtosis of a token's entries, mean over tokens",
    "silent": "neurons that fire at no token (|a| > {firing:g} rms), share",
    "sink": "attention to the first token, the largest of the heads, share",
    "non_finite": "NaN and infinite entries",
}
FLAGGED = {"growth": "growth", "outlier": "outlier", "sink": "sink"}  # measures that are held against a threshold
OF = {"silent": "neurons", "sink": "attention"}  # where they are told; the others along the stream


@dataclass(frozen=True, eq=False)
class Subject:
    """One model over one set of texts."""

    model_id: str
    prompts: int
    tokens: int
    gauges: dict[str, Gauge]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Scan(Drawn):
    """`subjects` by name, `parts` in the order in which they run; a part that a subject has not is NaN there."""

    model_id: str
    tau: float
    limits: Limits
    subjects: dict[str, Subject]
    parts: tuple[str, ...]

    @cached_property
    def anomalies(self) -> Anomalies:
        """Everything that was flagged; empty where nothing was."""
        return Anomalies(self._flagged())

    def of_kind(self, kind: str) -> Anomalies:
        if kind not in KINDS:
            raise InputError(f"There is no kind {kind!r} of anomaly.", f"There are: {', '.join(KINDS)}.")
        return Anomalies(one for one in self.anomalies if one.kind == kind)

    def gauge(self, part: str, subject: str | None = None) -> Gauge:
        """All numbers of one place; of the first subject when none is named."""
        name = next(iter(self.subjects)) if subject is None else subject
        known = self._subject(name).gauges
        if part not in known:
            raise UnknownPartError(f"{part!r} was not read of {name!r}.", f"Nearest: {nearest(part, known)}.")
        return known[part]

    def flags(self, part: str, subject: str) -> list[str]:
        """What is out of the ordinary at a place, in words."""
        return [str(one) for one in self.anomalies if (one.place, one.subject) == (part, subject)]

    def values(self, measure: str, subject: str, parts: Sequence[str] | None = None) -> list[float]:
        """One measure at every part, in order."""
        _demand(measure)
        known = self._subject(subject).gauges
        return [_measured(known.get(part), measure) for part in (self.parts if parts is None else parts)]

    def defined(self, measure: str) -> str:
        """With the thresholds that are part of its definition."""
        return LABELS[measure].format(tau=self.tau, firing=self.limits.firing)

    def frame(self) -> pd.DataFrame:
        """One row a subject and part, one column a measure, and what was flagged there."""
        keys = [(name, part) for name, one in self.subjects.items() for part in one.gauges]
        rows = [[*(self.values(measure, name, [part])[0] for measure in LABELS), *self._said(name, part)]
                for name, part in keys]  # fmt: skip
        return framed(("subject", "part"), keys, [*LABELS, "tokens", "flags"], rows)

    def plot(self, measure: str = "norm", kind: str | None = None, ax: Axes | None = None) -> Plot:
        """A line a subject along places of one kind: layer, attention, ffn, neurons …; the stream when left out."""
        from ...view.lines import lines

        _demand(measure)
        kinds = list(dict.fromkeys(map(kind_of, self.parts)))
        wanted = OF.get(measure, "layer" if "layer" in kinds else kinds[0]) if kind is None else kind
        parts = [part for part in self.parts if kind_of(part) == wanted]
        if not parts:
            raise InputError(f"No {wanted} was read.", f"There are: {', '.join(kinds)}.")
        series = {name: self.values(measure, name, parts) for name in self.subjects}
        limit = getattr(self.limits, FLAGGED[measure]) if measure in FLAGGED else None
        threshold = None if limit is None else (limit, f"flagged from {limit:g}")
        label = self.defined(measure)
        drawn = lines(parts, series, label, threshold=threshold, ax=ax)
        words = f"{label}, {len(parts)} places of {self.model_id}, {self._counted}"
        return Plot(drawn, f"{words}; {threshold[1]}" if threshold else words, self.frame)

    def picture(self) -> Table:
        """Where there are many places, those of the stream and those that were flagged."""
        every = self.parts
        if len(every) > SHOWN:
            every = tuple(part for part in every if kind_of(part) == "layer" or self._count(part))
        shown, named = every[:SHOWN], list(self.subjects)[:SUBJECTS]
        columns = [column for name in named for column in self._columns(name, shown)]
        left = {"places": len(self.parts) - len(shown), "subjects": len(self.subjects) - len(named)}
        rest = [f"{count:,} more {what} in .frame()" for what, count in left.items() if count]
        notes = dict.fromkeys(note for one in self.subjects.values() for note in one.notes)
        flags = f"{len(self.anomalies):,} flagged, in .anomalies" if self.anomalies else "nothing flagged"
        caption = " · ".join([self._counted, flags, self._rules(), *notes, *rest])
        return Table(shown, columns, title=self.model_id, caption=caption)

    def _columns(self, name: str, parts: Sequence[str]) -> Iterator[Column]:
        """In words of a single subject; of several, `.anomalies` says them."""
        alone = len(self.subjects) == 1
        group = "" if alone else f"{name}: "
        heads = {"norm": "norm", "growth": "growth"}
        if len(self.subjects) <= WHOLE:
            heads["sparsity"] = f"sparsity |x|\u00a0≤\u00a0{self.tau:g}\u00a0σ"
            heads |= {"entropy": "entropy", "peak": "largest |x|\u00a0/\u00a0rms"}
        for measure, head in heads.items():
            yield Column(f"{group}{head}", self.values(measure, name, parts), bar=measure == "norm")
        flags = [self.flags(part, name) for part in parts]
        yield Column(
            f"{group}flags", ["; ".join(one) for one in flags] if alone else [float(len(one)) for one in flags]
        )

    def _count(self, part: str) -> int:
        return sum(len(self.flags(part, name)) for name in self.subjects)

    def _said(self, name: str, part: str) -> tuple[int, str]:
        return self.gauge(part, name).tokens, "; ".join(self.flags(part, name))

    def _flagged(self) -> Iterator[Anomaly]:
        for name, one in self.subjects.items():
            for part, gauge in one.gauges.items():
                yield from anomalies(name, part, gauge, self.limits)

    def _subject(self, name: str) -> Subject:
        if name not in self.subjects:
            raise InputError(f"There is no subject {name!r}.", f"There are: {', '.join(self.subjects)}.")
        return self.subjects[name]

    @property
    def _counted(self) -> str:
        one = list(self.subjects.values())
        prompts, tokens = sum(each.prompts for each in one), sum(each.tokens for each in one)
        subjects = f", {len(one)} subjects" if len(one) > 1 else ""
        count = "1 prompt" if prompts == 1 else f"{prompts:,} prompts"
        return f"{count}, {tokens:,} tokens{subjects}"

    def _rules(self) -> str:
        limits = self.limits
        return (
            f"from: a dimension with an rms ≥ {limits.outlier:g} × the median's; a neuron that never fires"
            f" (|a| > {limits.firing:g} rms of its layer) in ≥ {limits.tokens:,} tokens; a head that gives the first"
            f" token ≥ {limits.sink:g}; a norm that grows ≥ {limits.growth:g}-fold; NaN and infinity"
        )


def _measured(gauge: Gauge | None, measure: str) -> float:
    if gauge is None:
        return float("nan")
    return gauge.statistics[measure] if measure in STATISTICS else float(getattr(gauge, measure))


def _demand(measure: str) -> None:
    if measure not in LABELS:
        raise InputError(f"There is no measure {measure!r} of a scan.", f"There are: {', '.join(LABELS)}.")

"""How a trial looks: what was claimed and what came of it, the hurdles, and every arm with what it retains."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..view.bands import bands
from ..view.bars import Column, Table
from ..view.cards import Card
from ..view.stacked import Stacked
from .claim import Role
from .measure import ACCURACY
from .statistics.effect import Effect
from .verdict import said_p

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .trial import Trial

SHOWN = 24  # arms of a table and of a plot; the frame holds them all
SURE = "95 % intervals; smallest: the effect that so many would show 4 times in 5"
PLACEBOS = "where placebos lie"


def picture(trial: Trial) -> Stacked:
    return Stacked([_card(trial), _hurdles(trial), _arms(trial), *_told(trial)])


def drawn(trial: Trial, ax: Axes | None) -> tuple[Axes, str]:
    """The arms by role but no-ops, which are the line at nothing, and in words."""
    shown = {arm: one for arm, one in list(trial.over.items())[:SHOWN] if trial.role(arm) is not Role.NO_OP}
    roles = [role for role in Role if role in map(trial.role, shown)]
    groups = {role.value: {arm: one for arm, one in shown.items() if trial.role(arm) is role} for role in roles}
    reach = _reach(trial, shown)
    how = "95 % intervals" if reach is None else "95 %; pointed: beyond"
    label = f"over {trial.claim.untouched}: {trial.claim.rule.measure.defined}, {how}"
    picture = bands(groups, label, band=_placebos(trial), reach=reach, ax=ax)
    return picture, f"{label}; {len(shown)} arms of {trial.claim.key}, which {_came(trial)}"


def _reach(trial: Trial, shown: Mapping[str, Effect]) -> tuple[float, float] | None:
    """Where all but the controls lie, with a little room; None where the controls lie no farther than that again."""
    known = [one for arm, one in shown.items() if trial.role(arm) is not Role.CONTROL]
    ends = [0.0, *(end for one in known for end in (one.value, one.low, one.high) if not math.isnan(end))]
    low, high, across = min(ends), max(ends), max(ends) - min(ends)
    if not across or all(low - across <= one.value <= high + across for one in shown.values()):
        return None
    return low - across / 10, high + across / 10


def _card(trial: Trial) -> Card:
    claim, verdict = trial.claim, trial.verdict
    family = f", {said_p(verdict.adjusted)} among {verdict.family} claims by Benjamini and Hochberg"
    facts = {
        "claim": claim.statement,
        "claimed in": claim.source,
        "verdict": f"{verdict.ruling}. {verdict.why}",
        "p": said_p(verdict.p) + (family if verdict.family > 1 else ""),
        "rule, set beforehand": claim.rule.said,
        "protocol": claim.protocol,
        "runs": f"{trial.outcomes.counted}; {trial.model_id}; the first seed is {trial.outcomes.seeds[0]}",
    }
    return Card(f"{claim.key}: {verdict.ruling}", facts)


def _came(trial: Trial) -> str:
    return f"{trial.verdict.ruling}" if trial.verdict.ruling != "undecided" else "is undecided"


def _hurdles(trial: Trial) -> Table:
    effects = [one.effect for one in trial.hurdles]
    columns = [
        *_ranged(effects),
        Column("p", [one.p for one in effects]),
        Column("smallest", [one.smallest for one in effects]),
        Column("wanted", [one.wanted for one in trial.hurdles]),
        Column("", [one.ruling for one in trial.hurdles]),
    ]
    return Table([one.said for one in effects], columns, caption=f"what must be so · {SURE}")


def _arms(trial: Trial) -> Table:
    claim, measure = trial.claim, trial.claim.rule.measure
    arms = [arm.name for arm in claim.arms][:SHOWN]
    over = [trial.over.get(arm) for arm in arms]
    columns = [
        Column("role", [trial.role(arm).value for arm in arms]),
        Column("accuracy", [trial.mean(arm) for arm in arms]),
        *([] if measure == ACCURACY else [Column(measure.name, [trial.mean(arm, measure) for arm in arms])]),
        *_ranged(over, f"over {claim.untouched}"),
    ]
    if trial.apart:
        columns.append(Column("others", [trial.mean(arm, domains=trial.apart) for arm in arms]))
        columns.append(Column("loses most", [_worst(trial, arm) for arm in arms]))
    more = f" · {len(claim.arms) - SHOWN:,} more in .frame()" if len(claim.arms) > SHOWN else ""
    of = ", ".join(claim.target or trial.outcomes.domains)
    retained = f" · others: accuracy on {', '.join(trial.apart)}" if trial.apart else ""
    return Table(arms, columns, caption=f"on {of}, by {measure.defined}{retained}{more}")


def _told(trial: Trial) -> Iterator[Table]:
    """What each of these arms is; no table where nobody said."""
    told = {arm.name: arm.about for arm in trial.claim.arms[:SHOWN] if arm.about}
    if told:
        yield Table([*told], [Column("what is run", [*told.values()])])


def _ranged(effects: list[Effect] | list[Effect | None], head: str = "effect") -> list[Column]:
    return [
        Column(head, [math.nan if one is None else one.value for one in effects]),
        Column("95 % from", [math.nan if one is None else one.low for one in effects]),
        Column("to", [math.nan if one is None else one.high for one in effects]),
    ]


def _worst(trial: Trial, arm: str) -> str:
    """`facts -0.300 (-0.371 to -0.229)`; of what it retains, empty where nothing is lost."""
    found = {domain: one for (name, domain), one in trial.retained.items() if name == arm}
    if not found:
        return ""
    domain, one = min(found.items(), key=lambda pair: pair[1].value)
    return f"{domain} {one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})" if one.value < 0 else "nothing"


def _placebos(trial: Trial) -> tuple[str, float, float] | None:
    """From the lowest to the highest end of the controls' intervals."""
    found = [one for arm, one in trial.over.items() if trial.role(arm) is Role.CONTROL and not math.isnan(one.low)]
    if not found:
        return None
    return PLACEBOS, min(one.low for one in found), max(one.high for one in found)

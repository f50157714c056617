"""Rivals: what a blade must beat to be worth its passes: the source itself, both together, a merge, an adapter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ...analyze.false_discovery import benjamini_hochberg
from ...analyze.judging.contest import LEVEL
from ...view.bars import Column, Table
from ..claim import Role
from ..contrast import difference
from ..measure import LOG_PROB
from ..rules.rule import measured
from ..statistics.effect import Effect
from ..trial import Trial
from .arms import BLADE, FORWARDS, TARGET

BEATS, BEATEN, OPEN = "beaten", "better", "not told apart"


@dataclass(frozen=True, kw_only=True)
class Rival:
    """`lead` is the blade's over it, log-probability in nats, and `adjusted` its p among those over all rivals.
    `accuracy` is its own, `elsewhere` on all other domains, NaN where there are none; `forwards` what a token takes.
    """

    name: str
    lead: Effect
    adjusted: float
    accuracy: float
    elsewhere: float
    forwards: int

    @property
    def ruling(self) -> str:
        """Of the rival: told where the interval leaves 0 out and p, adjusted, says so too."""
        one = self.lead
        if not self.adjusted <= LEVEL or math.isnan(one.low) or one.low <= 0 <= one.high:
            return OPEN
        return BEATS if one.value > 0 else BEATEN


def rivals(trial: Trial) -> list[Rival]:
    """In the order of the arms; none where the blade has none. Several are asked at once, so p is adjusted: Benjamini
    and Hochberg.
    """
    names = trial.claim.named(Role.BASELINE)
    pairs = [(LOG_PROB, difference(BLADE, name)) for name in names]
    places = trial.outcomes.places(trial.claim.target)
    leads = measured(trial.outcomes, pairs, places, trial.seed) if pairs else []
    adjusted = benjamini_hochberg(torch.tensor([one.p for one in leads], dtype=torch.float64)).tolist()
    return [
        Rival(
            name=name, lead=lead, adjusted=p, accuracy=trial.mean(name), elsewhere=elsewhere(trial, name),
            forwards=FORWARDS[name],
        )
        for name, lead, p in zip(names, leads, adjusted, strict=True)
    ]  # fmt: skip


def cheaper(trial: Trial, forwards: int) -> list[Rival]:
    """Those that take fewer forwards than the blade, and over which its lead is not told."""
    return [one for one in rivals(trial) if one.forwards < forwards and one.ruling != BEATS]


def elsewhere(trial: Trial, arm: str) -> float:
    """Accuracy on all domains that should have stayed as they were."""
    return trial.mean(arm, domains=trial.apart) if trial.apart else math.nan


def rivals_table(trial: Trial, forwards: int) -> Table:
    """The target and the blade, then its rivals."""
    found = rivals(trial)
    names = [TARGET, BLADE, *(one.name for one in found)]
    leads: list[Effect | None] = [None, None, *(one.lead for one in found)]
    columns = [
        Column("forwards", [1, forwards, *(one.forwards for one in found)]),
        Column("accuracy", [trial.mean(name) for name in names]),
        Column("elsewhere", [elsewhere(trial, name) for name in names]),
        Column("blade's lead, nats", [math.nan if one is None else one.value for one in leads]),
        Column("95 % from", [math.nan if one is None else one.low for one in leads]),
        Column("to", [math.nan if one is None else one.high for one in leads]),
        Column("it is", ["", "", *(one.ruling for one in found)]),
    ]
    verdict = trial.verdict
    domain, seeds = ", ".join(trial.claim.target), len(trial.outcomes.seeds)
    caption = (
        f"on {domain}, {seeds} seed{'s' * (seeds > 1)}; elsewhere: accuracy on {len(trial.apart)} other domains"
        f"; told apart by p adjusted over the rivals · more than its placebos: {verdict.ruling}. {verdict.why}"
        f" {trial.claim.protocol}"
    )
    return Table(names, columns, caption=caption)

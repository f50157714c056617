"""Verdict: whether a claim holds, does not, or cannot be told by so few items, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..analyze.false_discovery import benjamini_hochberg
from ..analyze.judging.contest import LEVEL
from .rules.hurdle import Hurdle

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`hurdle` is the one that decided. `p` is the largest of all hurdles, `adjusted` over a family of so many claims
    that were tried together.
    """

    ruling: str
    why: str
    hurdle: Hurdle
    p: float
    adjusted: float
    family: int


def verdict(hurdles: Sequence[Hurdle], others: Sequence[float] = ()) -> Verdict:
    """`others` are the p of the claims that were tried with this one: Benjamini & Hochberg at 0.05 over all of them."""
    p = claim_p(hurdles)
    adjusted = float(benjamini_hochberg(torch.tensor([p, *others], dtype=torch.float64))[0])
    hurdle = _deciding(hurdles)
    if hurdle.failed:
        ruling = FAILS
    else:
        ruling = HOLDS if all(one.passed for one in hurdles) and adjusted <= LEVEL else UNDECIDED
    why = {HOLDS: _holds, FAILS: _fails, UNDECIDED: _undecided}[ruling](hurdle, adjusted)
    return Verdict(ruling=ruling, why=why, hurdle=hurdle, p=p, adjusted=adjusted, family=1 + len(others))


def claim_p(hurdles: Sequence[Hurdle]) -> float:
    """Of all hurdles at once: the largest (Berger, "Multiparameter Hypothesis Testing", 1982)."""
    return max(one.p for one in hurdles)


def _deciding(hurdles: Sequence[Hurdle]) -> Hurdle:
    """The first that is failed; else the one with the least to speak for it, of those not passed if there are any."""
    failed = [one for one in hurdles if one.failed]
    left = [one for one in hurdles if not one.passed]
    return failed[0] if failed else max(left or hurdles, key=lambda one: one.p)


def _holds(hurdle: Hurdle, adjusted: float) -> str:
    return f"The least certain: {hurdle.measured}, p {said_p(adjusted)}; wanted: {hurdle.wanted}."


def _fails(hurdle: Hurdle, adjusted: float) -> str:
    return f"{hurdle.measured}; wanted: {hurdle.wanted}."


def _undecided(hurdle: Hurdle, adjusted: float) -> str:
    said = f"{hurdle.measured}, p {said_p(adjusted)}; wanted: {hurdle.wanted}."
    return f"{said} {_could(hurdle)}"


def _could(hurdle: Hurdle) -> str:
    """What so many items could have shown."""
    one = hurdle.effect
    if math.isinf(one.smallest):
        return f"So few ({one.n}) can show no effect at all."
    seeds = f" under {one.seeds} seeds" if one.seeds > 1 else ""
    return f"So many ({one.n:,}{seeds}) would show {one.smallest:.3f} 4 times in 5, and less more seldom."


def said_p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"

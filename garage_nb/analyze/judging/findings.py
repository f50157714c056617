"""Findings: every measure of every model in every domain, worked out of what was counted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from .contest import LEVEL, Contest, holm
from .cost import Cost
from .exercise import ALL
from .finding import MEASURES, Finding
from .on_items import OnItems
from .on_texts import OnTexts
from .redrawn import NONE, Estimate, Redrawn
from .score import Score

Places = Mapping[str, Sequence[int]]  # of texts or items, by domain


def by_domain(domains: Sequence[str]) -> Places:
    """In the order in which they come; all of them first, where there are several."""
    found: dict[str, list[int]] = {}
    for place, domain in enumerate(domains):
        found.setdefault(domain, []).append(place)
    return found if len(found) == 1 else {ALL: range(len(domains)), **found}


def of_texts(names: Sequence[str], marks: OnTexts, notes: Mapping[str, str], seed: int) -> Iterator[Finding]:
    """Intervals are bootstraps over the texts of a domain, and over all for all. `notes` say by name why tokens are not
    the judged model's.
    """
    for domain, places in by_domain(marks.domains).items():
        at = torch.tensor(places)
        losses, tokens, size = (each[:, at] for each in (marks.losses, marks.tokens, marks.bytes))
        loss, count = Redrawn.of(losses, tokens, seed), len(places)
        yield from _compared("perplexity", names, domain, loss.map(torch.exp), count, notes)
        yield from _compared("surprise", names, domain, Redrawn.of(losses, size, seed), count, {})
        for measure, sums in (("divergence", marks.divergence), ("other", marks.others)):
            found = Redrawn.of(sums[:, at], tokens, seed)
            for place, name in list(enumerate(names))[1:]:
                note = notes.get(name, "")
                estimate = found.estimate(place)
                yield Finding(measure=measure, model=name, domain=domain, estimate=estimate, n=count, note=note)


def of_items(names: Sequence[str], marks: OnItems) -> Iterator[Finding]:
    """Holm's adjustment is over the domains of one model that the judged one is held against; all together stand by
    themselves.
    """
    places = by_domain(marks.domains)
    for number, name in enumerate(names):
        contests = {domain: _contest(marks.right[:, list(at)], number) for domain, at in places.items()}
        apart = [domain for domain in places if len(places) == 1 or domain != ALL]
        adjusted = dict(zip(apart, holm([contests[domain].p for domain in apart]), strict=True))
        for domain, at in places.items():
            right = int(marks.right[number, list(at)].sum())
            score = Score(right=right, n=len(at))
            mine = Finding(
                measure="accuracy",
                model=name,
                domain=domain,
                estimate=Estimate(score.accuracy, *score.interval),
                n=len(at),
            )
            level = LEVEL / len(apart) if domain in adjusted else LEVEL  # what Holm asks of the smallest p
            yield _against(mine, contests[domain], adjusted.get(domain, math.nan), level) if number else mine


def of_costs(names: Sequence[str], costs: Sequence[Cost]) -> Iterator[Finding]:
    """Of the whole model. All but seconds is counted and not estimated; these go from least to largest."""
    judged = costs[0]
    for number, (name, cost) in enumerate(zip(names, costs, strict=True)):
        amounts = {
            "parameters": (judged.parameters, cost.parameters),
            "memory": (judged.bytes, cost.bytes),
            "passes": (judged.passes, cost.passes),
        }
        for measure, (mine, other) in amounts.items():
            note = f"{cost.shared:,} of them shared" if measure == "memory" and number and cost.shared else ""
            change = Estimate(mine / other) if number else NONE
            yield Finding(
                measure=measure, model=name, domain=ALL, estimate=Estimate(other), n=1, change=change, note=note
            )
        yield Finding(
            measure="milliseconds",
            model=name,
            domain=ALL,
            estimate=Estimate(*(1000 * taken for taken in (cost.median, min(cost.seconds), max(cost.seconds)))),
            n=len(cost.seconds),
            change=Estimate(*judged.ratio(cost)) if number else NONE,
            note=f"{cost.tokens} tokens",
        )


def _compared(
    measure: str, names: Sequence[str], domain: str, found: Redrawn, count: int, notes: Mapping[str, str]
) -> Iterator[Finding]:
    """Not with those of whom `notes` say that they read other tokens."""
    for place, name in enumerate(names):
        there, note = found.estimate(place), notes.get(name, "")
        change = found.compared(place, MEASURES[measure].change) if place and not note else NONE
        yield Finding(measure=measure, model=name, domain=domain, estimate=there, n=count, change=change, note=note)


def _contest(right: Bool[Tensor, "models items"], place: int) -> Contest:
    won, lost = int((right[0] & ~right[place]).sum()), int((right[place] & ~right[0]).sum())
    return Contest(won=won, lost=lost, n=right.shape[1])


def _against(mine: Finding, contest: Contest, adjusted: float, level: float) -> Finding:
    change = Estimate(contest.difference, *contest.interval)
    return replace(mine, change=change, p=contest.p, adjusted=adjusted, smallest=contest.smallest(level))

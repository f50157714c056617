"""Neurons: how often they fire, and which are dead, always on, or prefer a domain."""

from __future__ import annotations

from collections.abc import Iterator

from ....analyze.neurons.answer import ALWAYS, SIGNIFICANT, Neurons
from ....analyze.neurons.neurons import neurons
from ....analyze.scan.answer import LIMITS
from ....registry.part_spec import PartType
from ....view.shown import Picture
from ..case import Case
from ..remark import Remark
from ..section import Chapter

SOME = 0.01  # share of all neurons
BEYOND = 2.0  # times as many as chance gives


def _read(case: Case) -> Iterator[Picture | Remark]:
    names = case.parts_written(PartType.FFN)
    found = neurons(case.lifted, case.domains, case.taps, names, relabellings=case.sizes.relabellings, seed=case.seed)
    yield found.plot("rate")
    if len(found.domains) > 1:
        yield found.plot("specialised")
    yield found.picture()
    yield from _remarks(found)


def _remarks(found: Neurons) -> Iterator[Remark]:
    layers = list(found.layers.values())
    count, tokens = sum(len(layer.rate) for layer in layers), sum(found.tokens.values())
    dead, always = len(found.dead()), len(found.always_on())
    if tokens >= LIMITS.tokens:
        yield Remark(
            said=f"{dead:,} of {count:,} neurons fired at none of {tokens:,} tokens",
            rule="share of neurons that fired at no token",
            value=dead / count,
            threshold=SOME,
        )
    yield Remark(
        said=f"{always:,} of {count:,} neurons fired at {ALWAYS:.0%} of all tokens or more",
        rule="share of neurons that are always on",
        value=always / count,
        threshold=SOME,
    )
    chance = SIGNIFICANT * sum(int((~layer.p.isnan()).sum()) for layer in layers)
    special = sum(len(layer.specialised) for layer in layers)
    if chance:
        yield Remark(
            said=f"{special:,} of {count:,} neurons prefer a domain (p ≤ {SIGNIFICANT:g}), where chance alone gives"
            f" {chance:,.0f}",
            rule="neurons that prefer a domain, times as many as by chance",
            value=special / chance,
            threshold=BEYOND,
        )


NEURONS = Chapter(
    key="neurons",
    title="What the neurons do",
    shows="How often each fires in each domain, and how many are dead, always on, or prefer a domain beyond chance.",
    hides="Dead on these texts is not dead on all, and firing more in a domain is not being needed for it.",
    verb="neurons",
    read=_read,
)

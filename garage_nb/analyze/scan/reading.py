"""Reading for a report: one pass a prompt, without padding, of which only sums are kept.

Prompts are not padded together: the other kernels that a model then runs move a number by up to 6e-7 of the largest
here, and more in half precision, which is enough to push one across a threshold, or a token to another expert.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ...core.batch import Batch
from ...core.run import read
from ...core.sites import Read, Reader, Site, Tap
from ...core.tokenwise import token_rows
from ...registry.lift import Lifted
from ..texts.prompt import read_ids
from .places import kind_of, steps
from .rules import Limits
from .sinks import SinkSums
from .sums import Gauge, Sums


@dataclass(frozen=True, eq=False)
class Found:
    """Of one subject: gauges by place, how many tokens were read, and what was not looked at, and why."""

    gauges: dict[str, Gauge]
    tokens: int
    notes: tuple[str, ...]


def found(
    lifted: Lifted, batches: Sequence[Batch], edits: Sequence[Tap], names: Sequence[str], tau: float, limits: Limits
) -> Found:
    sums = {name: Sums(name, tau, limits.firing if kind_of(name) == "neurons" else None) for name in names}
    sites = {name: lifted.spec.site(name) for name in names}
    sinks, follows = SinkSums(lifted, names), steps(names)
    for prompt, batch in enumerate(batches):
        lengths: dict[str, Tensor] = {}
        reads = [Read(site, _adds(sums[name], site, prompt, lengths)) for name, site in sites.items()]
        read(lifted.model, batch, [*edits, *reads, *sinks.reads(batch)])  # no two prompts have a prefix in common
        for after, before in follows.items():
            sums[after].grow(lengths[before], lengths[after])
    told = sinks.told(limits.sink)
    gauges = {name: one.gauge(told.get(name)) for name, one in sums.items()}
    return Found(gauges, sum(len(read_ids(batch)) for batch in batches), tuple(sinks.notes))


def _adds(sums: Sums, site: Site, prompt: int, lengths: dict[str, Tensor]) -> Reader:
    def add(hidden: Tensor) -> None:
        lengths[sums.name] = sums.add(token_rows(site, hidden), prompt)

    return add

"""Outcomes: the table of all runs: what every arm made of every item under every seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import InputError, NotFiniteError
from ..view.bars import Column, Table
from ..view.frames import framed
from ..view.shown import Shown
from .contrast import Contrast
from .measure import ACCURACY, LOG_PROB, Measure

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 40  # arms of a table; the frame holds them all
ROUNDED = 1e-5  # how far above 0 a log-probability may be, in nats


@dataclass(frozen=True)
class Item:
    """`name` says what is asked, and is another one for every item of a domain."""

    domain: str
    name: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Marks:
    """What one arm made of all items under one seed. `readings` are further measures by name, such as a share."""

    right: Bool[Tensor, " items"]
    log_probs: Float[Tensor, " items"]
    readings: Mapping[str, Float[Tensor, " items"]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Outcomes(Shown):
    """right      whether the answer was right
    log_prob   log-probability of the right answer, summed over its tokens, nats
    others     readings of the study's own, by name

    The same items under every arm and seed, in the same order.
    """

    key: str
    model_id: str
    items: tuple[Item, ...]
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    right: Bool[Tensor, "seeds arms items"]
    log_probs: Float[Tensor, "seeds arms items"]
    readings: Mapping[str, Float[Tensor, "seeds arms items"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """InputError for what does not fit together, NotFiniteError for NaN and infinity."""
        for said, names in (("items", self.items), ("arms", self.arms), ("seeds", self.seeds)):
            if not names or len(set(names)) < len(names):
                raise InputError(f"The {said} of {self.key} are {_wrong(names)}.", f"Give {said}, each once.")
        shape = (len(self.seeds), len(self.arms), len(self.items))
        for name, values in self._columns.items():
            if tuple(values.shape) != shape or (values.dtype is torch.bool) != (name == ACCURACY.name):
                there = f"{values.dtype} of {tuple(values.shape)}"
                raise InputError(f"{name} of {self.key} is {there}, not of {shape}.", "Give one for every run.")
            if not bool(values.isfinite().all()):
                raise NotFiniteError(f"{name} of {self.key} holds NaN or infinity.", "Mend the study and run again.")
        if bool((self.log_probs > ROUNDED).any()):
            raise InputError(f"A log-probability of {self.key} is above 0.", "Give the log of a probability.")

    @classmethod
    def of(cls, key: str, model_id: str, items: Sequence[Item], runs: Mapping[int, Mapping[str, Marks]]) -> Outcomes:
        """Of marks by seed and arm. InputError where two runs were not read alike."""
        marks = [list(arms.values()) for arms in runs.values()]
        arms, readings = list(next(iter(runs.values()))), list(marks[0][0].readings)
        for seed, found in runs.items():
            odd = [arm for arm, one in found.items() if list(one.readings) != readings]
            if list(found) != arms or odd:
                raise InputError(f"Seed {seed} of {key} has other arms or readings.", "Give the same in every run.")
        return cls(
            key=key,
            model_id=model_id,
            items=tuple(items),
            arms=tuple(arms),
            seeds=tuple(runs),
            right=_stacked([[one.right for one in row] for row in marks], key),
            log_probs=_stacked([[one.log_probs for one in row] for row in marks], key).double(),
            readings={
                name: _stacked([[one.readings[name] for one in row] for row in marks], key).double()
                for name in readings
            },
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, key: str, model_id: str) -> Outcomes:
        """What `frame` gave, also by way of a file. InputError for another table, and for runs that are missing."""
        columns = [str(name) for name in frame.columns]
        if list(frame.index.names) != INDEX or columns[:2] != [ACCURACY.name, LOG_PROB.name]:
            raise InputError(f"This is no table of runs: {', '.join(columns)}.", "Give what Outcomes.frame() gave.")
        told = [(Item(domain, name), arm, int(seed)) for domain, name, arm, seed in frame.index]
        items, arms = tuple(dict.fromkeys(row[0] for row in told)), tuple(dict.fromkeys(row[1] for row in told))
        seeds = tuple(dict.fromkeys(row[2] for row in told))
        if told != [(item, arm, seed) for seed, arm, item in product(seeds, arms, items)]:
            raise InputError("Runs of this table are missing, or in another order.", "Give it as it was saved.")
        shape = (len(seeds), len(arms), len(items))
        found = {name: torch.tensor(frame[name].tolist()).reshape(shape) for name in columns}
        readings = {name: found[name].double() for name in columns[2:]}
        right, log_probs = found[ACCURACY.name], torch.tensor(frame[LOG_PROB.name].tolist(), dtype=torch.float64)
        return cls(
            key=key, model_id=model_id, items=items, arms=arms, seeds=seeds, right=right,
            log_probs=log_probs.reshape(shape), readings=readings,
        )  # fmt: skip

    @property
    def domains(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(item.domain for item in self.items))

    def places(self, domains: Sequence[str]) -> list[int]:
        """Of the items of these domains. InputError for one that is not there."""
        if unknown := [domain for domain in domains if domain not in self.domains]:
            raise InputError(f"{self.key} has no items of {unknown[0]!r}.", f"There are: {', '.join(self.domains)}.")
        return [place for place, item in enumerate(self.items) if item.domain in domains]

    def of_measure(self, measure: Measure) -> Float[Tensor, "seeds arms items"]:
        """InputError for a reading that the study does not give."""
        if measure.name not in self._columns:
            raise InputError(f"{self.key} has no {measure.name!r}.", f"There are: {', '.join(self._columns)}.")
        return self._columns[measure.name].double()

    def values(self, measure: Measure, contrast: Contrast, places: Sequence[int]) -> Float[Tensor, "seeds items"]:
        """What each item shows of a contrast under each seed."""
        arms = [self.arms.index(arm) for arm in contrast.arms]
        weights = torch.tensor([weight for _, weight in contrast.weights], dtype=torch.float64)
        return torch.einsum("sai,a->si", self.of_measure(measure)[:, arms][:, :, list(places)], weights)

    def frame(self) -> pd.DataFrame:
        """One row a seed, arm and item: right, log-probability in nats, and the study's readings."""
        keys = [(item.domain, item.name, arm, seed) for seed, arm, item in product(self.seeds, self.arms, self.items)]
        rows = zip(*(values.flatten().tolist() for values in self._columns.values()), strict=True)
        return framed(INDEX, keys, list(self._columns), rows)

    def picture(self) -> Table:
        shown, means = self.arms[:SHOWN], {name: one.double().mean((0, 2)) for name, one in self._columns.items()}
        columns = [Column(f"mean {name}", mean.tolist()[:SHOWN]) for name, mean in means.items()]
        more = f" · {len(self.arms) - SHOWN:,} more in .frame()" if len(self.arms) > SHOWN else ""
        return Table(shown, columns, title=f"{self.key}, all runs of {self.model_id}", caption=f"{self.counted}{more}")

    @property
    def counted(self) -> str:
        """In words."""
        domains, seeds = self.domains, len(self.seeds)
        of = domains[0] if len(domains) == 1 else f"{len(domains)} domains"
        return f"{len(self.items):,} items of {of}, {len(self.arms)} arms, {seeds} seed{'s' if seeds > 1 else ''}"

    @property
    def _columns(self) -> Mapping[str, Tensor]:
        return {ACCURACY.name: self.right, LOG_PROB.name: self.log_probs, **self.readings}


INDEX = ["domain", "item", "arm", "seed"]


def _stacked(marks: Sequence[Sequence[Tensor]], key: str) -> Tensor:
    """On the host."""
    sizes = {tuple(one.shape) for row in marks for one in row}
    if len(sizes) > 1:
        raise InputError(f"Runs of {key} marked {_either(sizes)} items.", "Give every item in every run.")
    return torch.stack([torch.stack([one.detach().cpu() for one in row]) for row in marks])


def _either(sizes: set[tuple[int, ...]]) -> str:
    return " and ".join(str(math.prod(size)) for size in sorted(sizes))


def _wrong(names: Sequence[object]) -> str:
    return "none" if not names else "not each once"

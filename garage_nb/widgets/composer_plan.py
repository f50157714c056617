"""What a composer begins with: the sheet in the works of its garage, with the donors on it opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ..compose.graft import Swap
from ..compose.layout.donors import Donor, opened
from ..compose.sheet import BuildSheet
from ..compose.worktop.stacking import Grafts
from ..errors import InputError
from ..garage import Garage
from ..garage.showroom_texts import FITTED_ON, fitting_texts
from ..plain import count

SHOWROOM = f"""from garage_nb.showroom import corpus
from garage_nb.showroom.domains import DOMAINS
texts = tuple(item.text for domain in DOMAINS for item in corpus.items(domain, "train", {FITTED_ON}))"""


@dataclass(frozen=True)
class Plan:
    """`sheet` is the one in the works; `donors` are its own and those its grafts name, `sources` as it says them."""

    sheet: BuildSheet
    donors: Mapping[str, Donor] = field(default_factory=dict)
    sources: Mapping[str, Any] = field(default_factory=dict)

    @property
    def alone(self) -> Plan:
        """Without what would keep models and tensors in memory."""
        return Plan(replace(self.sheet, donors={}, edits=()))

    def said(self, typed: str) -> str:
        """What adapters are fitted on, in words."""
        if own := lines(typed):
            return f"{count(len(own), 'text')} of yours"
        return f"the sheet's {count(len(self.sheet.texts), 'text')}" if self.sheet.texts else "the showroom's texts"

    def texts(self, typed: str, grafts: Grafts) -> tuple[str, ...]:
        """What adapters are fitted on: the lines typed, or those of the sheet, or the showroom's; none without any."""
        if not is_fitted(grafts):
            return ()
        return lines(typed) or self.sheet.texts or _showroom()


def is_fitted(grafts: Grafts) -> bool:
    """Whether there is an adapter to fit."""
    return any(isinstance(graft, Swap) and graft.adapter == "fit" for graft in grafts)


@cache
def _showroom() -> tuple[str, ...]:
    return fitting_texts()


def lines(typed: str) -> tuple[str, ...]:
    return tuple(line for line in typed.splitlines() if line.strip())


def plan_of(garage: Garage) -> Plan:
    """InputError for a sheet of another base. Errors of opening a donor are those of `load`."""
    sheet = garage.planned
    if sheet.base != garage.spec.model_id:
        raise InputError(
            f"The sheet in the works has {sheet.base} for its base, and {garage.spec.model_id} is on the lift.",
            "Clear it with sheet clear, or save it, load its base and open it again.",
        )
    if not (sheet.grafts or sheet.donors):
        return Plan(sheet)
    named = [*sheet.donors, *(ref.donor for graft in sheet.grafts for ref in graft.refs)]
    sources = {name: sheet.donors.get(name, name) for name in named if name not in ("", sheet.base)}
    there = garage.sheet().donors  # type: ignore[union-attr]  # `show`, which is a Check
    return Plan(sheet, {name: there.get(name) or opened(name, source) for name, source in sources.items()}, sources)

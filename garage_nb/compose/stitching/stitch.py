"""Stitch: a guest at a place, with the maps around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ...errors import BuildError
from ..graft import Adapter
from ..layout.layout import Occupant
from .fitted import fitted
from .maps import Maps, untrained
from .matrices import takes_bias


@dataclass(frozen=True, eq=False)
class Stitch:
    """`why_not` says why the maps cannot become weights of the guest; empty where they can."""

    place: str
    guest: Occupant
    host: Occupant
    adapter: Adapter
    texts: Sequence[str] = ()
    why_not: str = ""
    given: Maps | None = None

    @property
    def shifts(self) -> bool:
        """Whether the way in has a bias: weights take one up only where every first matrix has a bias of its own."""
        return bool(self.why_not) or takes_bias(self.guest)

    @cached_property
    def maps(self) -> Maps:
        """Those given, or else worked out when they are first asked for. Errors as of `fitted`."""
        if self.given is not None:
            return self.given
        if self.adapter == "untrained":
            return untrained(self.host.part.input_dim, self.guest.part.input_dim)
        if not self.texts:
            raise BuildError(
                f"The adapter of {self.place} is to be fitted, and there are no texts.",
                "Give the sheet texts that both models can read.",
            )
        return fitted(self.guest, self.host, self.texts, shifting=self.shifts)

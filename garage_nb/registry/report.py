"""Report: what was proved of a model when it was opened, block by block, and what is n/a and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..view.bars import Column, Table
from ..view.frames import framed
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from .part_spec import Proof


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """`unavailable` maps the names of parts that can be neither read nor changed to the reason."""

    model_id: str
    proofs: tuple[Proof, ...]
    unavailable: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether every block added up and every part can be used."""
        return not self.unavailable and not any(proof.reason for proof in self.proofs)

    def __bool__(self) -> bool:
        return self.ok

    def frame(self) -> pd.DataFrame:
        """One row a block: claim, error and tolerance relative to the largest value, proved, reason."""
        rows = [
            (proof.claim, proof.error, proof.tolerance, not proof.reason, proof.reason or self._missing(proof))
            for proof in self.proofs
        ]
        layers = [proof.layer for proof in self.proofs]
        return framed("layer", layers, ["claim", "error", "tolerance", "proved", "reason"], rows)

    def picture(self) -> Table:
        errors = [math.nan if proof.error is None else proof.error for proof in self.proofs]
        columns = [
            Column("what was added up", [proof.claim or "–" for proof in self.proofs]),
            Column("error", errors),
            Column("verdict", [self._verdict(proof) for proof in self.proofs]),
        ]
        names = [proof.layer for proof in self.proofs]
        return Table(names, columns, title=self.model_id, caption="error relative to the largest value")

    def _verdict(self, proof: Proof) -> str:
        if proof.reason:
            return f"✗ {proof.reason}"
        missing = self._missing(proof)
        return f"✓ holds; {missing}" if missing else "✓ holds"

    def _missing(self, proof: Proof) -> str:
        """The parts of one block that are n/a although it adds up."""
        number, stack = proof.layer.rpartition("_")[2], proof.layer.partition("layer_")[0]
        own = [name for name in self.unavailable if name.startswith(stack) and f"_{number}_" in f"{name}_"]
        return f"n/a: {', '.join(own)}" if own else ""

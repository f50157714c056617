"""Verification: proof that the model is the user's own, bit for bit, with what was compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..core.batch import probe
from ..core.fingerprint import Fingerprint, bare_logits
from ..core.run import logits
from ..core.sites import Read
from ..registry.lift import Lifted
from ..registry.part_spec import PartType
from ..view.cards import Card
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

_ASPECTS = ("hooks", "weights", "train flags", "logits")


@dataclass(frozen=True, repr=False)
class Verification(Shown):
    """Each check's finding; an empty text means that nothing differs."""

    model_id: str
    findings: dict[str, str]

    @property
    def ok(self) -> bool:
        return not any(self.findings.values())

    def __bool__(self) -> bool:
        return self.ok

    def frame(self) -> pd.DataFrame:
        """One row a check: whether all is the same, and what was found where it is not."""
        import pandas as pd

        rows = [(not found, found) for found in self.findings.values()]
        return pd.DataFrame(rows, index=pd.Index(list(self.findings), name="check"), columns=["same", "found"])

    def picture(self) -> Card:
        facts = {check: f"✗ {found}" if found else "✓ same" for check, found in self.findings.items()}
        title = "as it came, bit for bit" if self.ok else "not as it came"
        return Card(f"{self.model_id}: {title}", facts)


def verify(lifted: Lifted) -> Verification:
    """Compare with the first sight of the model, then read every layer and compare the logits and torch's RNG."""
    model, spec = lifted.model, lifted.spec
    differing = lifted.baseline.differences(Fingerprint.of(model))
    findings = {f"{aspect} since it was put on the lift": differing.get(aspect, "") for aspect in _ASPECTS}
    seed = torch.random.get_rng_state()
    seen = [Read(spec.site(name), lambda hidden: None) for name in spec.available(PartType.FULL_LAYER)]
    same = torch.equal(logits(model, probe(model), seen), bare_logits(model))
    findings["logits while every layer is read"] = "" if same else "reading changes them"
    findings["random numbers"] = "" if torch.equal(seed, torch.random.get_rng_state()) else "torch's generator moved"
    return Verification(spec.model_id, findings)

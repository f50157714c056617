"""Verification: proof that the model is the user's own, bit for bit, with what was compared."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..core.batch import probe
from ..core.fingerprint import Fingerprint, bare_logits
from ..core.run import logits
from ..core.sites import Read
from ..view.cards import Card
from ..view.frames import framed
from ..view.shown import Shown
from .lift import Lifted
from .part_spec import PartType

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Verification(Shown):
    """Each check's finding, empty where nothing differs, and what was `compared` in it.

    Hooks, keys, weights, train flags and logits are compared with those of the model as it was put on the lift.
    """

    model_id: str
    findings: dict[str, str]
    compared: dict[str, str]

    @property
    def ok(self) -> bool:
        return not any(self.findings.values())

    def __bool__(self) -> bool:
        return self.ok

    def frame(self) -> pd.DataFrame:
        """One row a check: whether all is the same, what was compared, and what was found where it is not."""
        rows = [(not found, self.compared[check], found) for check, found in self.findings.items()]
        return framed("check", self.findings, ["same", "compared", "found"], rows)

    def picture(self) -> Card:
        facts = {check: _told(found, self.compared[check]) for check, found in self.findings.items()}
        title = "as it was put on the lift, bit for bit" if self.ok else "not as it was put on the lift"
        return Card(f"{self.model_id}: {title}", facts)


def verify(lifted: Lifted) -> Verification:
    """Compare with the first sight of the model; read every layer, and compare the logits and all random numbers."""
    model, spec = lifted.model, lifted.spec
    before = _generators()
    now = Fingerprint.of(model)
    differing, compared = lifted.baseline.differences(now), now.compared()
    findings = {aspect: differing.get(aspect, "") for aspect in compared}
    seen = [Read(spec.site(name), lambda hidden: None) for name in spec.available(PartType.FULL_LAYER)]
    batch, bare = probe(model), bare_logits(model)
    same, moved = _alike(logits(model, batch, seen), bare), _unlike(before, _generators())
    read = {"logits while read": "" if same else "reading changes them", "random numbers": ", ".join(moved)}
    size = f"{len(seen)} layers; {bare.shape[1]} tokens × {bare.shape[2]:,} logits"
    return Verification(
        spec.model_id,
        {**findings, **read},
        {**compared, "logits while read": size, "random numbers": ", ".join(before)},
    )


def _told(found: str, compared: str) -> str:
    return f"✗ {found}" if found else f"✓ same: {compared}"


def _alike(a: Tensor, b: Tensor) -> bool:
    """NaN is like NaN: a damaged model is as it came, too."""
    return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())


def _generators() -> dict[str, Any]:
    """The state of every generator that a run could draw from."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    on_cuda = {f"torch on cuda:{number}": state.tolist() for number, state in enumerate(cuda)}
    return {"torch": torch.random.get_rng_state().tolist(), **on_cuda, "Python": random.getstate()}


def _unlike(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name, state in before.items() if after[name] != state]

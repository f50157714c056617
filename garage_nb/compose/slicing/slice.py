"""Slice: a plain model with fewer neurons than the one it is of, what was proved of it, and how it is saved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...core.fingerprint import AtRest
from ...core.versions import made_with
from ...registry.lift import Lifted
from ..assembly.kept_edits import KeptEdits
from ..assembly.proof import Proofs, cached, finite, logits_of, rebuilt, untouched
from ..assembly.provenance import KEY, about
from ..assembly.saving import save
from ..layout.donors import opened
from .narrowing import Kept, Means
from .sliced import proved


@dataclass(frozen=True, eq=False, kw_only=True)
class Slice:
    """`model` is one of transformers' own class, in evaluation mode; `kept` are its neurons by their old numbers."""

    name: str
    model: Any
    tokenizer: Any
    kept: Kept
    proofs: Proofs

    def saved(self, folder: str | Path) -> Slice:
        """Saved, and with the proof that it loads again. Errors as of `save_pretrained`."""
        _, found = save(self.model, self.tokenizer, self.proofs, KeptEdits(), folder)
        return replace(self, proofs=replace(self.proofs, rows=(*self.proofs.rows, found)))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write a folder that `AutoModelForCausalLM.from_pretrained` opens with no garage installed; returns it.

        As a hybrid is saved: whole or not at all, with checksums and where it comes from. BuildError where the folder
        holds what was not built here, or cannot be written.
        """
        return save(self.model, self.tokenizer, self.proofs, KeptEdits(), folder)[0]


def slice_of(lifted: Lifted, kept: Kept, means: Means, name: str = "sliced") -> Slice:
    """Errors as of `sliced`. Nothing is kept of what is not right."""
    before = AtRest.of(lifted.model)
    model, as_masked = proved(lifted, kept, means)
    donor = opened(lifted.spec.model_id, lifted)
    model.config._name_or_path = name
    lines = [f"{ffn}: {len(numbers):,} of its neurons{_filled(ffn, means)}" for ffn, numbers in kept.items()]
    made_of = {
        "sheet": {"name": name, "base": donor.name},
        "lines": lines,
        "donors": {donor.name: about(donor, before)},
        "built_with": made_with(),
    }
    setattr(model.config, KEY, made_of)
    whole = logits_of(model)
    rows = (
        as_masked,
        finite(model, whole),
        cached(model, whole),
        rebuilt(model, whole),
        untouched({donor.name: (donor, before)}),
    )
    return Slice(name=name, model=model, tokenizer=lifted.tokenizer, kept=kept, proofs=Proofs(name, rows))


def _filled(ffn: str, means: Means) -> str:
    return ", the others' means in its bias" if ffn in means else ""

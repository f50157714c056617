"""Slice: a plain model with fewer neurons than the one it is of, and what is proved of it."""

from __future__ import annotations

from ...core.fingerprint import AtRest
from ...inject.mask import Kept
from ...registry.lift import Lifted
from ..assembly.built import Built
from ..assembly.proof import Proofs, cached, finite, logits_of, rebuilt, untouched
from ..assembly.provenance import KEY, taken_out
from ..layout.donors import opened
from .narrowing import Means
from .sliced import proved


def slice_of(lifted: Lifted, kept: Kept, means: Means, name: str = "sliced") -> Built:
    """Errors as of `sliced`. Nothing is kept of what is not right."""
    before = AtRest.of(lifted.model)
    model, as_masked = proved(lifted, kept, means)
    donor = opened(lifted.spec.model_id, lifted)
    model.config._name_or_path = name
    lines = [f"{ffn}: {len(numbers):,} of its neurons{_filled(ffn, means)}" for ffn, numbers in kept.items()]
    setattr(model.config, KEY, taken_out(donor, before, lines))
    whole = logits_of(model)
    rows = (
        as_masked,
        finite(model, whole),
        cached(model),
        rebuilt(model, whole),
        untouched({donor.name: (donor, before)}),
    )
    return Built(name=name, model=model, tokenizer=lifted.tokenizer, proofs=Proofs(name, rows))


def _filled(ffn: str, means: Means) -> str:
    return ", the others' means in its bias" if ffn in means else ""

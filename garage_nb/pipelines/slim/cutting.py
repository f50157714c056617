"""Cutting: the plain model that has what stays and nothing else, proved as every model that is built here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...compose.assembly.build import build
from ...compose.assembly.proof import Proofs
from ...compose.assembly.provenance import KEY
from ...compose.graft import Stack
from ...compose.ref import Ref
from ...compose.sheet import BuildSheet
from ...compose.slicing.sliced import proved
from ...registry.lift import Lifted, lift
from .neurons import Kept

BASE = "base"


@dataclass(frozen=True, eq=False)
class Cut:
    """`lifted` is the smaller model; weights that are whole in both are one memory with the model it was cut from."""

    lifted: Lifted
    proofs: Proofs


def cut_to_layers(lifted: Lifted, layers: Sequence[int], name: str) -> Cut:
    """BuildError for a model whose layers cannot be counted anew."""
    whole = len(layers) == lifted.spec.num_layers
    grafts = () if whole else (Stack((Ref("", ",".join(map(str, layers))),)),)
    hybrid = build(BuildSheet(BASE, {BASE: lifted}, grafts, name=name))
    return Cut(lift(hybrid.model, tokenizer=lifted.tokenizer), hybrid.proofs)


def cut_to_neurons(layered: Cut, kept: Kept) -> Cut:
    """BuildError or EditError for feed-forwards that cannot be made narrower."""
    before = layered.lifted
    model, proof = proved(before, kept, {})
    _record(model, kept, before)
    proofs = Proofs(layered.proofs.name, (*layered.proofs.rows, proof))
    return Cut(lift(model, tokenizer=before.tokenizer), proofs)


def _record(model: Any, kept: Kept, before: Lifted) -> None:
    """In its config, beside the layers: what nobody could tell from the sheet."""
    name, neurons = next(iter(kept.items()))
    count = before.spec.parts[name].intermediate_dim
    made_of = getattr(model.config, KEY)
    line = f"keep {len(neurons)} of {count} neurons in every ffn"
    setattr(model.config, KEY, {**made_of, "lines": [*made_of["lines"], line]})

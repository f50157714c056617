"""Cutting: the plain model that has what stays and nothing else, proved as every model that is built here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...compose.assembly.build import build
from ...compose.assembly.built import Built
from ...compose.assembly.provenance import KEY, SHEET
from ...compose.graft import Stack
from ...compose.ref import Ref
from ...compose.sheet import BuildSheet
from ...compose.slicing.sliced import proved
from ...inject.mask import Kept
from ...registry.lift import Lifted, lift

BASE = "base"


@dataclass(frozen=True, eq=False)
class Cut:
    """`lifted` is the smaller model; weights that are whole in both are one memory with the model it was cut from."""

    lifted: Lifted
    made: Built


def cut_to_layers(lifted: Lifted, layers: Sequence[int], name: str) -> Cut:
    """BuildError for a model whose layers cannot be counted anew."""
    whole = len(layers) == lifted.spec.num_layers
    grafts = () if whole else (Stack((Ref("", ",".join(map(str, layers))),)),)
    hybrid = build(BuildSheet(BASE, {BASE: lifted}, grafts, name=name))
    return Cut(lift(hybrid.model, tokenizer=lifted.tokenizer), hybrid.made)


def cut_to_neurons(layered: Cut, kept: Kept) -> Cut:
    """BuildError or EditError for feed-forwards that cannot be made narrower."""
    before, made = layered.lifted, layered.made
    model, proof = proved(before, kept, {})
    _record(model, kept, before)
    proofs = replace(made.proofs, rows=(*made.proofs.rows, proof))
    return Cut(lift(model, tokenizer=before.tokenizer), replace(made, model=model, proofs=proofs))


def _record(model: Any, kept: Kept, before: Lifted) -> None:
    """In its config, beside the layers. No sheet says it, and the one of the layers would build another model."""
    name, neurons = next(iter(kept.items()))
    count = before.spec.parts[name].intermediate_dim
    made_of = {name: said for name, said in getattr(model.config, KEY).items() if name != SHEET}
    line = f"keep {len(neurons)} of {count} neurons in every ffn"
    setattr(model.config, KEY, {**made_of, "lines": [*made_of["lines"], line]})

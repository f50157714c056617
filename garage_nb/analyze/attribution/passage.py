"""Passage: one pass read at one token: the stream, what every half of a block adds to it, and the logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.batch import Batch
from ...core.parts import parse
from ...core.run import logits
from ...core.sites import Read, Site, Tap
from ...core.tokenwise import token_rows
from ...errors import InputError, NotFiniteError, UnsupportedModelError
from ...registry.lift import Lifted
from ...registry.part_spec import PartType
from ...registry.specs import ModelSpec
from ..texts.prompt import read_ids

HALVES = (PartType.ATTENTION, PartType.CROSS_ATTENTION, PartType.MIXER, PartType.FFN)
FINAL = "layer_norm_final"
ROUNDING = 10  # steps of the model's own dtype that its sums may be off by
LEAST = 1e-5  # norms work in float32 whatever the model's dtype


@dataclass(frozen=True, eq=False)
class Passage:
    """Vectors at one token, float64 on the host, by site; `logits` (vocab,) are the model's own."""

    logits: Float[Tensor, " vocab"]
    at: dict[Site, Float[Tensor, " dim"]]
    tolerance: float

    def is_same(self, a: Tensor, b: Tensor) -> bool:
        """Up to the rounding of the model's own numbers."""
        return bool((a - b).abs().max() <= self.tolerance * b.abs().max())


def passage(lifted: Lifted, batch: Batch, edits: Sequence[Tap], sites: Sequence[Site], position: int) -> Passage:
    """InputError for a position that the prompt does not have."""
    seq = len(read_ids(batch))
    if not -seq <= position < seq:
        raise InputError(f"There is no token {position} in a prompt of {seq}.", f"Give {-seq} to {seq - 1}.")
    found: dict[Site, Tensor] = {}
    reads = [Read(site, _keeper(found, site, position % seq, seq)) for site in dict.fromkeys(sites)]
    answer = logits(lifted.model, batch, [*edits, *reads], chain=lifted.spec.chain)
    if answer.ndim != 3 or tuple(answer.shape[:2]) != (1, seq):
        raise UnsupportedModelError(
            f"{lifted.spec.model_id} answers {seq} tokens with {tuple(answer.shape)}, not one row a token.",
            "Only a prediction for each token can be attributed.",
        )
    row = answer[0, position].double().cpu()
    if not bool(row.isfinite().all()):
        raise NotFiniteError("The logits hold NaN or infinity.", "Take the last edit back, or load in float32.")
    return Passage(row, found, max(ROUNDING * torch.finfo(answer.dtype).eps, LEAST))


def halves(spec: ModelSpec) -> dict[str, list[str]]:
    """Layer -> the parts that add to the stream in it, of the stack that the output head reads."""
    found: dict[str, list[str]] = {
        link.name: [] for link in spec.chain.links if link.stack == spec.chain.links[-1].stack
    }
    for name, part in spec.parts.items():
        address = parse(name)
        layer = f"layer_{part.layer_idx}"
        if part.part_type in HALVES and address is not None and address.stack is None and layer in found:
            found[layer].append(name)
    return found


def _keeper(found: dict[Site, Tensor], site: Site, position: int, seq: int) -> Callable[[Tensor], None]:
    def keep(hidden: Tensor) -> None:
        rows = token_rows(site, hidden.detach())
        if len(rows) != seq:
            raise UnsupportedModelError(
                f"{site} holds {len(rows)} rows for {seq} tokens: what is added there cannot be told token by token.",
                "Read it with capture.",
            )
        found[site] = rows[position].double().cpu()

    return keep

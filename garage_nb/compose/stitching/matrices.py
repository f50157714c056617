"""Matrices of a part: which of them take the hidden states in, and which gives them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from ..layout.layout import Occupant


@dataclass(frozen=True)
class Matrix:
    """`inner` is its path inside the part. `last`: what leaves it is what the part gives."""

    inner: str
    first: bool
    last: bool
    across: bool  # transformers' Conv1D keeps its weight as (entering, leaving)

    def turned(self, weight: Tensor) -> Tensor:
        """(leaving, entering), or from that back to how it is kept."""
        return weight.T if self.across else weight


def matrices(who: Occupant) -> Iterator[Matrix]:
    """Those of a live part. The first ones are told by their width, and by not being the last."""
    from transformers.pytorch_utils import Conv1D

    part = who.part
    for inner, module in who.donor.model.get_submodule(part.module_path).named_modules():
        if isinstance(module, nn.Linear | Conv1D):
            across, path = isinstance(module, Conv1D), f"{part.module_path}.{inner}"
            entering = module.weight.shape[0 if across else 1]
            last = path == part.extra_info.get("projection")
            yield Matrix(inner, entering == part.input_dim and not last, last, across)


def takes_bias(who: Occupant) -> bool:
    """Whether each of the first matrices adds a bias."""
    path = who.part.module_path
    first = [matrix.inner for matrix in matrices(who) if matrix.first]
    return all(f"{path}.{inner}.bias" in who.donor.tensors for inner in first)

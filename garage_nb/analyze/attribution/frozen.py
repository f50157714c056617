"""Frozen: a norm as the linear map that it is once its scale is held at the value it had in the pass.

LayerNorm is g · (x − mean) / σ + b and RMSNorm g · x / rms. With σ or rms of the whole stream put in, what several
parts add to the stream passes it one by one, and their images sum to the image of the whole (Elhage et al. 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...errors import UnsupportedModelError
from ...registry.elementary import norm_of


@dataclass(frozen=True, eq=False)
class Frozen:
    """In float64 on the host. `shift` is the norm's bias; `centres` says whether it takes the mean away."""

    gain: Float[Tensor, " dim"]
    shift: Float[Tensor, " dim"]
    scale: float
    centres: bool

    @classmethod
    def at(cls, module: nn.Module, x: Float[Tensor, " dim"], path: str) -> Frozen:
        """UnsupportedModelError for what is neither of the two norms."""
        norm, given = norm_of(module), x.double().cpu()
        if norm is None or not norm.name.startswith(("LayerNorm", "RMSNorm")):
            raise UnsupportedModelError(
                f"{path} is {type(module).__name__}, which is no LayerNorm and no RMSNorm.",
                "Its scale cannot be held; read the model with lens.",
            )
        centres = norm.name.startswith("LayerNorm")
        weight, bias = (_told(module, name) for name in ("weight", "bias"))
        gain = torch.ones_like(given) if weight is None else weight + ("1 + w" in norm.name)
        shift = torch.zeros_like(given) if bias is None else bias
        centred = given - given.mean() if centres else given
        return cls(gain, shift, float((centred.square().mean() + norm.eps).sqrt()), centres)

    def __call__(self, x: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
        centred = x - x.mean() if self.centres else x
        return self.gain * centred / self.scale + self.shift

    def back(self, direction: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
        """What a direction behind the norm reads before it: the transpose, without the shift."""
        found = direction * self.gain / self.scale
        return found - found.mean() if self.centres else found


def _told(module: Any, name: str) -> Tensor | None:
    found = getattr(module, name, None)
    return found.detach().double().cpu() if isinstance(found, Tensor) else None

"""Sae: features of a sparse autoencoder turned up or down, or the hidden states as it rebuilds them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.sites import Writer, everywhere
from ..errors import EditError
from .edit import OPTION, Edit, said
from .place import Place
from .sae_columns import NORMS, Columns, Reading

_TURN = re.compile(r"([0-9]{1,9})=([^=,]+)")
ERRORS = ("kept", "dropped")


@dataclass(frozen=True, eq=False)
class Sae(Edit):
    """Multiply features by factors: `features={12: 3.0}`, or as a text `12=3,40=0`.

    What the autoencoder does not rebuild is kept, so that a factor of 1 changes no bit; `error="dropped"` leaves it out
    and puts the reconstruction in place of the hidden states. The arithmetic is that of `Columns`. `before` is taken
    off what it reads, `after` added to what it writes; `norm` is one of NORMS. Computed in the wider dtype of both.
    """

    encoder: Float[Tensor, "dim features"]
    bias: Float[Tensor, " features"]
    decoder: Float[Tensor, "features dim"]
    after: Float[Tensor, " dim"]
    before: Tensor | None = field(default=None, metadata=OPTION)
    threshold: Tensor | None = field(default=None, metadata=OPTION)
    gain: Tensor | None = field(default=None, metadata=OPTION)
    gain_bias: Tensor | None = field(default=None, metadata=OPTION)
    k: int = field(default=0, metadata=OPTION)
    norm: str = field(default="none", metadata=OPTION)
    features: str | Mapping[int, float] = field(default="", metadata=OPTION)
    error: str = field(default="kept", metadata=OPTION)

    def __post_init__(self) -> None:
        _demand_shapes(self)
        self._set("features", _written(self.features))
        _demand_words(self)
        super().__post_init__()

    def writer(self, place: Place) -> Writer:
        if place.width not in (None, len(self.encoder)):
            raise EditError(
                f"An autoencoder of {len(self.encoder)} dimensions does not fit {place.name}, "
                f"which is {place.width} wide.",
                "Name the place it was trained at, in the model it was trained on.",
            )
        return everywhere(self._turned if self.error == "kept" else self._rebuilt)

    def encode(self, hidden: Float[Tensor, "*tokens dim"]) -> Float[Tensor, "*tokens features"]:
        """How active every feature is at every token."""
        wide = self._wide(hidden)
        return self._columns(slice(None), wide).active(self._reading(wide).read)

    @property
    def factors(self) -> dict[int, float]:
        """Feature -> factor, of those that were named."""
        return turns_in(str(self.features))

    def _turned(self, hidden: Tensor) -> Tensor:
        """Only what changes is added, so what stays keeps its bits."""
        turned = [feature for feature, factor in self.factors.items() if factor != 1]
        if not turned:
            return hidden
        wide = self._wide(hidden)
        chosen = slice(None) if self.k else torch.tensor(turned, device=self.encoder.device)  # topk weighs them all
        columns, reading = self._columns(chosen, wide), self._reading(wide)
        changes = columns.active(reading.read) * (self._turns[chosen] - 1).to(wide)
        return (wide + changes @ columns.decoder * reading.scale).to(hidden)

    def _rebuilt(self, hidden: Tensor) -> Tensor:
        wide = self._wide(hidden)
        columns, reading = self._columns(slice(None), wide), self._reading(wide)
        rebuilt = columns.active(reading.read) * self._turns.to(wide) @ columns.decoder + self.after.to(wide)
        return (rebuilt * reading.scale + reading.mean).to(hidden)

    def _reading(self, wide: Tensor) -> Reading:
        found = NORMS[self.norm](wide)
        return found if self.before is None else replace(found, read=found.read - self.before.to(wide))

    @property
    def _turns(self) -> Float[Tensor, " features"]:
        turns = torch.ones(self.encoder.shape[1], dtype=torch.float64, device=self.encoder.device)
        for feature, factor in self.factors.items():
            turns[feature] = factor
        return turns

    def _columns(self, chosen: slice | Tensor, like: Tensor) -> Columns:
        rows = (self.threshold, self.gain, self.gain_bias)
        threshold, gain, gain_bias = (None if row is None else row[chosen].to(like) for row in rows)
        encoder, bias, decoder = self.encoder[:, chosen], self.bias[chosen], self.decoder[chosen]
        return Columns(encoder.to(like), bias.to(like), decoder.to(like), threshold, gain, gain_bias, self.k)

    def _wide(self, hidden: Tensor) -> Tensor:
        return hidden.to(torch.promote_types(hidden.dtype, self.encoder.dtype))


def turns_in(text: str) -> dict[int, float]:
    """Feature -> factor, of `12=3,40=0.5`. EditError for anything else."""
    pieces = [_TURN.fullmatch(piece.strip()) for piece in text.split(",") if text.strip()]
    try:
        found = {int(piece[1]): float(piece[2]) for piece in pieces if piece}
    except ValueError:
        found = {}
    if len(found) != len(pieces) or not all(map(math.isfinite, found.values())):
        raise EditError(f"{said(text)} turns no features.", "Write each once, with its factor: 12=3,40=0.")
    return found


def _written(features: Any) -> str:
    if isinstance(features, Mapping):
        features = ",".join(f"{feature}={factor}" for feature, factor in features.items())
    if not isinstance(features, str):
        raise EditError(f"{said(features)} turns no features.", "Write each with its factor: 12=3,40=0.")
    return ",".join(f"{feature}={repr(factor).removesuffix('.0')}" for feature, factor in turns_in(features).items())


def _demand_shapes(sae: Sae) -> None:
    """EditError unless all tensors are of one autoencoder."""
    if not isinstance(sae.encoder, Tensor) or sae.encoder.ndim != 2 or not sae.encoder.is_floating_point():
        raise EditError(f"{said(sae.encoder)} is no encoder.", "Give a tensor (dim, features).")
    dim, count = sae.encoder.shape
    wanted = {"bias": (count,), "decoder": (count, dim), "after": (dim,), "before": (dim,), "threshold": (count,),
              "gain": (count,), "gain_bias": (count,)}  # fmt: skip
    for name, shape in wanted.items():
        given = getattr(sae, name)
        missing = given is None and name in ("before", "threshold", "gain", "gain_bias")
        if not missing and (not isinstance(given, Tensor) or tuple(given.shape) != shape):
            raise EditError(
                f"The {name} of this autoencoder is {said(given)}, its encoder {said(sae.encoder)}.",
                f"Give a tensor {shape}.",
            )


def _demand_words(sae: Sae) -> None:
    count = sae.encoder.shape[1]
    if isinstance(sae.k, bool) or not isinstance(sae.k, int) or not 0 <= sae.k <= count:
        raise EditError(f"{said(sae.k)} is no k of {count} features.", f"Give one from 1 to {count}, or 0 for no topk.")
    if (sae.gain is None) != (sae.gain_bias is None) or sum(map(bool, _architectures(sae))) > 1:
        raise EditError("An autoencoder has one kind of activation.", "Give k, a threshold, or a gain and its bias.")
    for name, known in (("norm", tuple(NORMS)), ("error", ERRORS)):
        if getattr(sae, name) not in known:
            raise EditError(f"There is no {name} {said(getattr(sae, name))}.", f"There are: {', '.join(known)}.")
    if beyond := [feature for feature in turns_in(str(sae.features)) if feature >= count]:
        raise EditError(f"There is no feature {beyond[0]}.", f"They go from 0 to {count - 1}.")


def _architectures(sae: Sae) -> tuple[bool, bool, bool]:
    return sae.k > 0, sae.threshold is not None, sae.gain is not None

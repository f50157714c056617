"""Reading off: the direction in the stream whose product with it is a logit, with the final norm's scale held.

It is proved on the pass at hand: norm, head, biases and multipliers must give the model's own logits back, for every
token of the vocabulary. A soft cap bends logits; what is attributed then is the logit before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.sites import Site
from ...errors import UnsupportedModelError
from ...extract.source import in_memory
from ...registry.lift import Lifted
from .frozen import Frozen
from .passage import FINAL, Passage


@dataclass(frozen=True, eq=False)
class Readout:
    """`logits` (vocab,) are before a soft cap, `cap` is 0 where there is none."""

    norm: Frozen | None
    head: Float[Tensor, "vocab dim"]
    bias: Float[Tensor, " vocab"]
    times: float
    cap: float
    logits: Float[Tensor, " vocab"]

    def direction(self, token: int, foil: int | None) -> tuple[Float[Tensor, " dim"], float]:
        """What to multiply the stream with, and what is added whatever the stream is."""
        row = self.head[token] if foil is None else self.head[token] - self.head[foil]
        bias = self.bias[token] if foil is None else self.bias[token] - self.bias[foil]
        if self.norm is None:
            return self.times * row, float(self.times * bias)
        return self.times * self.norm.back(row), float(self.times * (row @ self.norm.shift + bias))


def entering(lifted: Lifted) -> Site:
    """The stream as the final norm meets it; as the last block leaves it where no norm comes after."""
    part = lifted.spec.parts.get(FINAL)
    if part is None:
        return lifted.spec.site(lifted.spec.chain.links[-1].name)
    return Site(part.module_path, "input")


def readout(lifted: Lifted, seen: Passage) -> Readout:
    """UnsupportedModelError where norm and head do not give the model's own logits."""
    head = _head(lifted)
    weight = head.weight.detach().double().cpu()
    bias = getattr(head, "bias", None)
    added = torch.zeros(len(weight), dtype=torch.float64) if bias is None else bias.detach().double().cpu()
    stream, part = seen.at[entering(lifted)], lifted.spec.parts.get(FINAL)
    norm = None
    if part is not None:
        norm = Frozen.at(in_memory(lifted.model, part.module_path), stream, FINAL)
    normed = stream if norm is None else norm(stream)
    if weight.shape[1:] != normed.shape or len(weight) != len(seen.logits):
        raise _unread(lifted, f"its head takes {tuple(weight.shape[1:])} where the stream is {tuple(normed.shape)}")
    bare = weight @ normed + added
    cap = _cap(lifted)
    times = 1.0 if cap else float(bare @ seen.logits / bare.square().sum())
    given = cap * torch.tanh(bare / cap) if cap else times * bare
    if not seen.is_same(given, seen.logits):
        raise _unread(lifted, "more than a norm and a head stands behind its blocks, or an edit does")
    return Readout(norm, weight, added, times, cap, times * bare)


def _head(lifted: Lifted) -> Any:
    head = getattr(lifted.model, "get_output_embeddings", lambda: None)()
    if "output_head" in lifted.spec.parts:
        head = in_memory(lifted.model, lifted.spec.parts["output_head"].module_path)
    weight = getattr(head, "weight", None)
    if not isinstance(weight, Tensor) or not weight.is_floating_point() or weight.is_meta:
        raise UnsupportedModelError(
            f"{lifted.spec.model_id} has no output head whose weights can be read: no logit can be attributed.",
            "Load it with its language-modelling head, in float32, bfloat16 or float16.",
        )
    return head


def _cap(lifted: Lifted) -> float:
    told = lifted.spec.extra_info.get("multipliers", {}).get("logits", {})
    return next((float(value) for name, value in told.items() if "soft" in name), 0.0)


def _unread(lifted: Lifted, why: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"The logits of {lifted.spec.model_id} cannot be read off its stream: {why}.",
        "Take back edits of the final norm and the head; else read it with lens.",
    )

"""PartSpec: what the catalogue knows of one part, PartType: the kinds there are, and Proof: what was checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..core.parts import SYNONYMS


class PartType(str, Enum):
    """What a part is. `PartType("self_attention")`, `"mlp"` and `"lm_head"` are understood."""

    EMBEDDING = "embedding"
    POSITION_EMBEDDING = "position_embedding"
    ATTENTION = "attention"
    CROSS_ATTENTION = "cross_attention"
    MIXER = "mixer"
    FFN = "ffn"
    LAYER_NORM = "layer_norm"
    OUTPUT_HEAD = "output_head"
    ROTARY_EMB = "rotary_emb"
    GATE = "gate"
    FULL_LAYER = "full_layer"

    @classmethod
    def _missing_(cls, value: object) -> PartType | None:
        kind = SYNONYMS.get(str(value), str(value))
        wanted = "full_layer" if kind == "layer" else kind
        return next((member for member in cls if member.value == wanted), None)


@dataclass(frozen=True, kw_only=True)
class PartSpec:
    """One part. `module_path` is the module itself; dims are widths of hidden states in and out.

    `unavailable` says why a part can be neither read nor changed; it is empty for the others. `extra_info` may hold

    contribution      path whose output is what the part adds to the residual stream, when that is not the module's own
    times             factor between that output and what is added (Granite's residual multiplier)
    turn              which call of one pass is meant, where a module is called several times
    projection        path of the last projection inside; heads or neurons enter it; with projection_turn, as turn
    experts           path of the module whose output is the sum over experts; with num_experts, experts_per_token,
                      and experts_times, where that is added some times over (a routed scaling factor), as times
    qkv               "split", "thirds", "grouped", "latent" or "other", with the paths of the projections
    place             of a norm: "pre", "post" (on what a half adds), "stream" (on the residual stream) or "inside"
    spread            the modules that make the part up, where no single one does (OPT's fc1 and fc2)
    parallel          of a layer: True where the halves do not see what the others add
    overwritten       True where the block writes into what left the part: keep a copy, not the tensor
    points            where its points are (`q`, `before`, …): path, side and the rest of a site, or why one is n/a
    """

    part_type: PartType
    layer_idx: int | None
    module_path: str
    input_dim: int
    output_dim: int
    num_heads: int | None = None
    head_dim: int | None = None
    intermediate_dim: int | None = None
    unavailable: str = ""
    extra_info: dict[str, Any] = field(default_factory=dict)

    def count_of(self, unit: str) -> int | None:
        """How many heads, neurons or experts the part has; None when they cannot be told apart."""
        if unit.startswith("expert"):
            return self.extra_info.get("num_experts") if "experts" in self.extra_info else None
        if "projection" not in self.extra_info:
            return None
        return self.num_heads if unit.startswith("head") else self.intermediate_dim

    def point(self, name: str) -> dict[str, Any] | str:
        """Where a point of the part is, as a site's fields, or why it cannot be read."""
        where: dict[str, Any] | str = self.extra_info.get("points", {}).get(name, "")
        return where or self.unavailable or "nobody says where it is"

    @property
    def read_at(self) -> str:
        """Path of the module whose output is what the part adds to the residual stream."""
        return str(self.extra_info.get("contribution", self.module_path))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PartSpec:
        return cls(**{**data, "part_type": PartType(data["part_type"])})


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was checked of one block: `claim` in words, the largest error relative to the largest value, or a reason.

    An empty `reason` means that the claim held within `tolerance`.
    """

    layer: str
    claim: str
    error: float | None
    tolerance: float | None
    reason: str = ""

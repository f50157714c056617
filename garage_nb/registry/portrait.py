"""Portrait: how a spec shows itself, and its parts as rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..view.cards import Card
from .part_spec import PartSpec

if TYPE_CHECKING:
    import pandas as pd

    from .specs import ModelSpec

WHOLE = ("layer", "in", "out", "heads", "head_dim", "neurons", "experts")
COLUMNS = ("kind", *WHOLE, "module", "unavailable")


def card_of(spec: ModelSpec) -> Card:
    """The model as a whole: shape, and how many parts of each kind."""
    kinds = Counter(part.part_type.value for part in spec.parts.values())
    missing = sum(bool(part.unavailable) for part in spec.parts.values())
    positions = f"{spec.max_seq_len:,} positions" if spec.max_seq_len else "no position limit known"
    facts = {
        "family": spec.family.value,
        "shape": f"{spec.num_layers} layers × {spec.hidden_dim} wide, {spec.num_heads} heads",
        "text": f"{spec.vocab_size:,} tokens, {positions}",
        "parts": ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
        "proved": f"{sum(not proof.reason for proof in spec.proofs)} of {len(spec.proofs)} blocks",
    }
    noted = {"n/a": f"{missing} parts; report says why"} if missing else {}
    return Card(spec.model_id, {**facts, **noted}, note="parts lists them; in Python .parts, .frame() and .to_json()")


def frame_of(parts: Mapping[str, PartSpec]) -> pd.DataFrame:
    """One row a part. `unavailable` says why a part is n/a."""
    import pandas as pd

    rows = [_sizes(part) for part in parts.values()]
    frame: pd.DataFrame = pd.DataFrame(rows, index=pd.Index(list(parts), name="part"), columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(WHOLE, "Int64"))


def _sizes(part: PartSpec) -> dict[str, Any]:
    inside = (part.num_heads, part.head_dim, part.intermediate_dim, part.extra_info.get("num_experts"))
    row = (part.part_type.value, part.layer_idx, part.input_dim, part.output_dim, *inside)
    return dict(zip(COLUMNS, (*row, part.module_path, part.unavailable), strict=True))

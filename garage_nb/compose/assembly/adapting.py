"""Adapting: PEFT's adapters multiplied into a model that was put together."""

from __future__ import annotations

from typing import Any

from ..layout.layout import Layout
from ..peft.applying import with_adapter
from .proof import Proof


def with_adapters(model: Any, layout: Layout) -> tuple[Any, list[Proof]]:
    """The model with all adapters of the layout in it, one after the other, and how far each is from its own."""
    proofs = []
    for adapt in layout.adapts:
        done = with_adapter(model, adapt.folder, adapt.scale)
        found = f"logits differ by {done.error:.1g} of the largest at most; {done.allowed:.1g} is allowed"
        proofs.append(Proof(f"{adapt} merged = beside", True, found))
        model = done.model
    return model, proofs

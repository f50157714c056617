"""Built: a plain model that was made and proved, with all that saving it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .kept_edits import KeptEdits
from .proof import Proofs

_NONE = KeptEdits()


@dataclass(frozen=True, eq=False, kw_only=True)
class Built:
    """`model` is one of transformers' own class, in evaluation mode; `edits` are kept beside its weights."""

    name: str
    model: Any
    tokenizer: Any
    proofs: Proofs
    edits: KeptEdits = _NONE

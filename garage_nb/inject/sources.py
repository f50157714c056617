"""Sources: hidden states that an edit brings from elsewhere, as rows (tokens, dim)."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..core.batch import Prompt, prepare
from ..core.run import read
from ..core.sites import Read
from ..core.stats import rows_of
from ..core.tokens import Stand, Tokens
from ..errors import EditError
from ..registry.specs import ModelSpec
from .edit import said
from .place import place_of


def rows_at(
    model: nn.Module, spec: ModelSpec, at: str, prompts: Prompt, tokenizer: Any = None
) -> Float[Tensor, "tokens dim"]:
    """What the untouched model has at a place, for every token of one or several prompts; padding is left out."""
    batch, seen = prepare(prompts, model, tokenizer), list[Tensor]()
    read(model, batch, [Read(place_of(spec, at).site, lambda hidden: seen.append(rows_of(hidden, batch.padding)))])
    return torch.cat(seen).clone()


def rows_in(source: Any) -> Float[Tensor, "tokens dim"]:
    """Rows of a tensor (dim,), (tokens, dim) or (1, tokens, dim), or of a snapshot of one prompt with hidden states."""
    hidden = source if isinstance(source, Tensor) else getattr(source, "hidden", source)
    if hidden is None:
        raise EditError("This snapshot has no hidden states.", "Capture with keep=True, or --keep.")
    if not isinstance(hidden, Tensor):
        raise EditError(f"{said(source)} holds no hidden states.", "Give a tensor (tokens, dim), or a snapshot.")
    if hidden.ndim == 3 and hidden.shape[0] != 1:
        raise EditError(f"{said(hidden)} holds several prompts.", "Give those of one: hidden[0].")
    if not 1 <= hidden.ndim <= 3 or not hidden.numel():
        raise EditError(f"{said(hidden)} is not (tokens, dim).", "Give one row a token.")
    return hidden.reshape(-1, hidden.shape[-1])


def chosen_rows(rows: Float[Tensor, "tokens dim"], positions: Tokens) -> Float[Tensor, "chosen dim"]:
    """The rows at some positions, in the order of the text. EditError for none."""
    count = len(rows)
    chosen = positions.touched(Stand(torch.arange(count)[None], torch.tensor([count]), padded=False, seq=count))
    kept = rows if chosen is None else rows[chosen[0].to(rows.device)]
    if not len(kept):
        raise EditError(
            f"Positions {positions} are none of the {count} tokens of the source.", "Name some that it has."
        )
    return kept

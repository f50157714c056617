"""Next token: whether a model predicts each token from those before it alone. What sees later ones sees the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from weakref import WeakSet

from torch import nn

from ..errors import UnsupportedModelError
from .batch import probe
from .rounding import allowed_rounding
from .run import logits

ROUNDED = 0.01  # of the largest logit, at most: sixteen bits round by less, and what is seen ahead moves more
_CAUSAL: WeakSet[nn.Module] = WeakSet()


def demand_predicts(model: Any) -> None:
    """UnsupportedModelError for a model without a head of language, and for one that looks ahead."""
    able = getattr(model, "can_generate", None)
    if able is not None and not able():
        raise UnsupportedModelError(
            f"{type(model).__name__} does not predict the next token, so it has no loss here.",
            "Load it with its language-model head: AutoModelForCausalLM.",
        )
    if looks_ahead(model):
        raise UnsupportedModelError(
            f"{type(model).__name__} reads the tokens behind each place too, so it does not predict the next token.",
            "Give a decoder; a BERT becomes one when it is made with is_decoder=True.",
        )


def looks_ahead(model: nn.Module) -> bool:
    """Whether logits depend on tokens that stand behind them. Tried in two short passes, and no more once they do not:
    what does may be made a decoder, or lose a hook that mixed places.
    """
    if model in _CAUSAL:
        return False
    found = _looks_ahead(model)
    if not found:
        _CAUSAL.add(model)
    return found


def _looks_ahead(model: nn.Module) -> bool:
    """Another last token moves the logits before it by more than rounding, of mixed experts that share a product."""
    short = probe(model)
    read = "input_ids" if short.decoder_input_ids is None else "decoder_input_ids"
    ids = getattr(short, read).roll(4)  # 0 is often padding: at the start its own mask would let it see all
    other = ids.clone()
    other[:, -1] = ids[:, 0]
    before, after = (logits(model, replace(short, **{read: one})) for one in (ids, other))
    limit = min(allowed_rounding(before.dtype), ROUNDED) * before.abs().max()
    return bool(((after - before)[:, :-1].abs() > limit).any())

"""One pass through somebody else's model: nothing of it is left changed, and no more is computed than asked."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..errors import InputError
from .attach import Attached, demand_fired, sweep
from .batch import Batch
from .sites import Read, Tap

_LOCKS: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_LOCKS_GUARD = threading.Lock()


def lock_of(model: nn.Module) -> threading.RLock:
    """The one lock around the garage's own runs of this model; a slider and a cell take turns."""
    with _LOCKS_GUARD:
        return _LOCKS.setdefault(model, threading.RLock())


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients, every module's own train flag put back afterwards."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def read(model: nn.Module, batch: Batch, taps: Iterable[Tap]) -> None:
    """Run until every read in `taps` has been made, then stop: no later block, no vocabulary-wide product.

    A read that was never reached is a HookError.
    """
    wanted = list(taps)
    waiting = {tap.site for tap in wanted if isinstance(tap, Read)}

    def stop_when_done() -> None:
        if waiting <= attached.fired:
            raise _Enough

    attached = Attached(model, wanted, after=stop_when_done)
    with _own_run(model), attached, suppress(_Enough):
        _call(model, batch)
    demand_fired(attached, wanted)


def logits(model: nn.Module, batch: Batch, taps: Iterable[Tap] = (), *, last: int = 0) -> Tensor:
    """Logits (batch, seq, vocab) with `taps` in force; only the `last` positions when given and the model can."""
    wanted = list(taps)
    with _own_run(model), Attached(model, wanted) as attached:
        result: Tensor = _call(model, batch, logits_to_keep=last).logits
    demand_fired(attached, wanted)
    return result[:, -last:]


def generate(model: Any, batch: Batch, taps: Iterable[Tap] = (), **options: Any) -> Tensor:
    """transformers' own `generate` with `taps` in force at every step. Returns ids (batch, prompt + new).

    Prompts of unlike length must be padded on the left: a continuation of padding is nonsense.
    """
    if not bool(batch.attention_mask[:, -1].all()):
        raise InputError("Prompts of unlike length cannot be continued together.", "Generate from one at a time.")
    with _own_run(model), Attached(model, taps):
        result: Tensor = model.generate(input_ids=batch.input_ids, attention_mask=batch.attention_mask, **options)
    return result


@contextmanager
def _own_run(model: nn.Module) -> Iterator[None]:
    with lock_of(model), undisturbed(model):
        sweep(model)
        yield


def _call(model: nn.Module, batch: Batch, **extra: Any) -> Any:
    return model(**batch.inputs(), use_cache=False, **extra)


class _Enough(Exception):
    """Raised inside the last read; never leaves this file."""

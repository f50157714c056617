"""One pass through somebody else's model: nothing of it is left changed, and no more is computed than asked."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..errors import HookError, InputError
from .attach import Attached, demand_fired, sweep
from .batch import Batch
from .calling import answer, asked
from .sites import Read, Tap

_LOCKS: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()


def lock_of(model: nn.Module) -> threading.RLock:
    """The one lock around the garage's own runs of this model; a slider and a cell take turns."""
    return _LOCKS.setdefault(model, threading.RLock())  # one step; a lock around it could be left held by an interrupt


@dataclass(frozen=True, eq=False)
class _Before:
    """What a pass changes for as long as it lasts, as it was."""

    thread: threading.Thread
    grad: bool
    training: tuple[nn.Module, ...]

    def restore(self) -> None:
        for module in self.training:
            module.training = True
        torch.set_grad_enabled(self.grad)


_OPEN: list[_Before] = []


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; the thread's grad mode and every module's own train flag come back after."""
    training = tuple(module for module in model.modules() if module.training)
    before = _Before(threading.current_thread(), torch.is_grad_enabled(), training)
    _OPEN.append(before)
    try:
        for module in training:
            module.training = False
        torch.set_grad_enabled(False)
        yield
    finally:
        before.restore()
        _OPEN.remove(before)


def recover(model: nn.Module) -> int:
    """Take back what an interrupt in the wrong instant left in this thread: hooks of ours, train flags, grad mode.

    Returns how many hooks. Not for use during a pass.
    """
    for before in [left for left in _OPEN if left.thread is threading.current_thread()]:
        before.restore()
        _OPEN.remove(before)
    return sweep(model)


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


def watched(model: nn.Module, batch: Batch, taps: Iterable[Tap], recorder: AbstractContextManager[Any]) -> None:
    """One whole pass with `taps` in force, inside `recorder`."""
    with _own_run(model), Attached(model, taps), recorder:
        _call(model, batch)


def logits(model: nn.Module, batch: Batch, taps: Iterable[Tap] = (), *, last: int = 0) -> Tensor:
    """Logits (batch, seq, vocab) with `taps` in force; only the `last` positions when given and the model can."""
    wanted = list(taps)
    with _own_run(model), Attached(model, wanted) as attached:
        result = answer(_call(model, batch, logits_to_keep=last))
    demand_fired(attached, wanted)
    return result[:, -last:]


def generate(model: Any, batch: Batch, taps: Iterable[Tap] = (), **options: Any) -> Tensor:
    """transformers' own `generate` with `taps` in force at every step. Returns ids (batch, prompt + new), of an
    encoder–decoder model (batch, start + new).

    Prompts of unlike length must be padded on the left: a continuation of padding is nonsense.
    """
    if not bool(batch.attention_mask[:, -1].all()):
        raise InputError("Prompts of unlike length cannot be continued together.", "Generate from one at a time.")
    with _own_run(model), Attached(model, taps):
        given = {name: value for name, value in batch.inputs().items() if name != "position_ids"}
        run = partial(model.generate, **given, **options)
        result: Tensor = _under_way(model, run)
    return result


@contextmanager
def _own_run(model: nn.Module) -> Iterator[None]:
    with lock_of(model):
        _demand_no_other_pass(model)
        recover(model)
        with undisturbed(model):
            yield


def _demand_no_other_pass(model: nn.Module) -> None:
    """A pass inside a pass would take the outer one's hooks down. The stack tells, and no interrupt can falsify it."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is _under_way.__code__ and frame.f_locals["model"] is model:
            raise HookError(
                "A run of this model was asked for while another is under way.",
                "Ask for it before or after, not from inside an edit or a hook.",
            )
        frame = frame.f_back


def _call(model: nn.Module, batch: Batch, **extra: Any) -> Any:
    return _under_way(model, asked(model, batch, use_cache=False, **extra))


def _under_way(model: nn.Module, run: Callable[[], Any]) -> Any:
    """While this stands on a thread's stack, that thread is in a pass of `model`."""
    return run()


class _Enough(BaseException):
    """Raised inside the last read; never leaves this file. No Exception, so that no model's own `except` stops it."""

"""What a pass changes for as long as it lasts, and how it comes back whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from .attach import sweep
from .cancel import forget_here
from .owner import no_own_run_here
from .walk import modules_of

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
        """Once: a pass whose traceback is kept ends when that is let go, long after `recover` was here."""
        if self not in _OPEN:
            return
        for module in self.training:
            module.training = True
        torch.set_grad_enabled(self.grad)
        _OPEN.remove(self)


_OPEN: list[_Before] = []


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; the thread's grad mode and every module's own train flag come back after."""
    training = tuple(module for module in modules_of(model) if module.training)
    before = _Before(threading.current_thread(), torch.is_grad_enabled(), training)
    _OPEN.append(before)
    try:
        for module in training:
            module.training = False
        torch.set_grad_enabled(False)
        yield
    finally:
        before.restore()


def recover(model: nn.Module) -> int:
    """Take back what an interrupt in the wrong instant left in this thread: the lock, hooks, train flags, grad mode.

    Returns how many hooks. Not for use during a pass.
    """
    lock: Any = lock_of(model)
    while lock._is_owned():  # the record that `threading` itself goes by, kept in one step with the lock
        lock.release()
    no_own_run_here()
    forget_here(model)
    for before in [left for left in _OPEN if left.thread is threading.current_thread()]:
        before.restore()
    return sweep(model)

"""One pass through somebody else's model: nothing of it is left changed, and no more is computed than asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any

from torch import Tensor, nn

from ..errors import HookError
from .attach import Attached, demand_fired
from .batch import Batch, probe
from .calling import answer, asked
from .cancel import cancel_of, stoppable
from .chain import Chain
from .owner import own_run_here
from .prefix import Prefix, prefix_of, proved_for, proves
from .sites import Read, Site, Tap
from .standing import Prompts
from .undisturbed import lock_of, recover, undisturbed

NO_CHAIN = Chain()


def read(model: nn.Module, batch: Batch, taps: Iterable[Tap], *, chain: Chain = NO_CHAIN) -> None:
    """Run until every read in `taps` has been made, then stop: no later block, no vocabulary-wide product.

    A read that was never reached is a HookError. With a `chain`, blocks before the first edit may be left out.
    """
    wanted = list(taps)
    waiting = {tap.site for tap in wanted if isinstance(tap, Read)}

    def stop_when_done() -> None:
        if waiting <= attached.fired:
            raise _Enough

    with own_run(model):
        prefix = _prefix(model, batch, wanted, chain)
        attached = attached_for(model, batch, prefix, wanted, after=stop_when_done)
        with attached, suppress(_Enough):
            _call(model, batch)
        prefix.keep(None)
    demand_fired(attached, wanted)


def watched(model: nn.Module, batch: Batch, taps: Iterable[Tap], recorder: AbstractContextManager[Any]) -> None:
    """One whole pass with `taps` in force, inside `recorder`."""
    with own_run(model), Attached(model, taps, cancel=cancel_of(model)), recorder:
        _call(model, batch)


def logits(
    model: nn.Module,
    batch: Batch,
    taps: Iterable[Tap] = (),
    *,
    last: int = 0,
    chain: Chain = NO_CHAIN,
    rows: int = 1,
    alone: Iterable[Tap] = (),
) -> Tensor:
    """Logits (rows · batch, seq, vocab) with `taps` in force; only the `last` positions when given and the model can.

    With a `chain`, blocks before the first edit are left out where what leaves them was kept of an earlier run. `rows`
    runs the batch that many times side by side, for taps that tell the rows apart; the blocks that come before any
    difference run once, with the taps `alone` that one of the rows would have by itself.
    """
    wanted = list(taps)
    with own_run(model):
        prefix = _prefix(model, batch, wanted, chain)
        if rows > 1 and prefix.taps:
            _record(model, batch, prefix, alone)
            prefix = _prefix(model, batch, wanted, chain)
        with attached_for(model, batch, prefix, wanted, rows=rows) as attached:
            result = answer(_call(model, batch.repeated(rows), logits_to_keep=last))
        prefix.keep(None)
    demand_fired(attached, wanted)
    return result[:, -last:]


def attached_for(
    model: nn.Module, batch: Batch, prefix: Prefix, taps: list[Tap], *, rows: int = 1, **options: Any
) -> Attached:
    """The taps of one run of ours, which knows its prompts and can be cancelled."""
    whole = batch.repeated(rows)
    prompts = Prompts(whole.attention_mask, whole.padding is not None)
    answers, cancel = prefix.answers, cancel_of(model)
    return Attached(model, [*taps, *prefix.taps], prompts=prompts, answers=answers, rows=rows, cancel=cancel, **options)


def _prefix(model: nn.Module, batch: Batch, taps: list[Tap], chain: Chain) -> Prefix:
    return prefix_of(model, batch, taps, chain, partial(_proved, model, chain))


def _proved(model: nn.Module, chain: Chain, first: int) -> bool:
    short = probe(model)
    return proved_for(
        model, first, lambda: proves(model, chain, first, short, lambda: ([answer(_call(model, short))], None))
    )


def _record(model: nn.Module, batch: Batch, prefix: Prefix, taps: Iterable[Tap]) -> None:
    """One pass over the blocks that many rows have in common, and no further."""

    def stop_when_done(hidden: Tensor) -> None:
        if prefix.complete():
            raise _Enough

    ends = [Read(Site(tap.site.path), stop_when_done) for tap in prefix.taps]
    with attached_for(model, batch, prefix, [*taps, *ends]), suppress(_Enough):
        _call(model, batch)
    prefix.keep(None)


@contextmanager
def own_run(model: nn.Module) -> Iterator[None]:
    """A run of ours: one at a time, on a model that is as it was again when the block ends."""
    _demand_no_other_pass(model)
    recover(model)
    with inner_run(model):
        yield


@contextmanager
def inner_run(model: nn.Module) -> Iterator[None]:
    """The same amid a pass of another model: what that changed for as long as it lasts is left alone."""
    _demand_no_other_pass(model)
    with lock_of(model), undisturbed(model), own_run_here(), stoppable(model):
        yield


def _demand_no_other_pass(model: nn.Module) -> None:
    """A pass inside a pass would take the outer one's hooks down. The stack tells, and no interrupt can falsify it."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is under_way.__code__ and frame.f_locals["model"] is model:
            raise HookError(
                "A run of this model was asked for while another is under way.",
                "Ask for it before or after, not from inside an edit or a hook.",
            )
        frame = frame.f_back


def _call(model: nn.Module, batch: Batch, **extra: Any) -> Any:
    return under_way(model, asked(model, batch, use_cache=False, **extra))


def under_way(model: nn.Module, run: Callable[[], Any]) -> Any:
    """While this stands on a thread's stack, that thread is in a pass of `model`."""
    return run()


class _Enough(BaseException):
    """Raised inside the last read; never leaves this file. No Exception, so that no model's own `except` stops it."""

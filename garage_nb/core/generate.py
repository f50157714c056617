"""Generation: transformers' own loop with taps in force at every step, whole or token by token."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator, Sequence
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import Any

from jaxtyping import Int
from torch import Tensor

from ..errors import InputError
from .batch import Batch, probe
from .cancel import Cancel, cancel_in_force, cancellable
from .chain import Chain
from .prefix import prefix_of, proved_for, proves
from .run import NO_CHAIN, attached_for, own_run, under_way
from .sites import Tap
from .threads import thread_for

_UNCOMPILED = {"disable_compile": True}  # with a static cache transformers compiles, and that is deaf to hooks


def generate(
    model: Any, batch: Batch, taps: Iterable[Tap] = (), *, chain: Chain = NO_CHAIN, **options: Any
) -> Int[Tensor, "batch whole"]:
    """transformers' own `generate` with `taps` in force at every step: ids of prompt and continuation, of an
    encoder–decoder model of what it wrote.

    Prompts of unlike length must be padded on the left: a continuation of padding is nonsense. With a `chain`, the
    prompt does not run again through blocks before the first edit where that was kept. `options` as transformers has
    them.
    """
    if not bool(batch.attention_mask[:, -1].all()):
        raise InputError("Prompts of unlike length cannot be continued together.", "Pad them on the left.")
    wanted = list(taps)
    with own_run(model):
        prefix = prefix_of(model, batch, wanted, chain, partial(_proved, model, chain), cached=True)
        with attached_for(model, batch, prefix, wanted) as attached:
            result: Tensor = under_way(model, partial(model.generate, **{**_given(batch), **_UNCOMPILED, **options}))
        prefix.keep(attached.standing.cache)
    return result


def streamed(
    model: Any, batch: Batch, taps: Iterable[Tap] = (), *, chain: Chain = NO_CHAIN, **options: Any
) -> Iterator[Int[Tensor, " batch"]]:
    """The same, token by token as they come. The run ends when nobody asks for the next one any more, or with
    a CancelledError when the block around whoever asks is cancelled.
    """
    tokens, cancel = _Tokens(), Cancel(cancel_in_force())

    def write() -> None:
        try:
            with cancellable(cancel):
                generate(model, batch, taps, chain=chain, streamer=tokens, **options)
            tokens.close(None)
        except BaseException as error:  # whoever waits for the next token is told, whatever it is
            tokens.close(error)

    thread = thread_for(partial(copy_context().run, write), "generation")
    try:
        thread.start()
        yield from tokens
    finally:
        cancel.ask()
        if thread.ident is not None:
            thread.join()


class _Tokens:
    """Told by transformers of each new token, on one thread, and asked for them on another."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Tensor | BaseException | None] = queue.SimpleQueue()
        self._prompt_seen = False

    def put(self, ids: Tensor) -> None:
        """The whole prompt first, then token by token."""
        if self._prompt_seen:
            self._queue.put(ids)
        self._prompt_seen = True

    def end(self) -> None:
        """transformers has written its last; the run itself is not over yet."""

    def close(self, error: BaseException | None) -> None:
        self._queue.put(error)

    def __iter__(self) -> Iterator[Tensor]:
        while isinstance(item := self._queue.get(), Tensor):
            yield item
        if item is not None:
            raise item


def _given(batch: Batch) -> dict[str, Tensor]:
    """Position ids are worked out from the mask, step by step, by generation itself."""
    return {name: value for name, value in batch.inputs().items() if name != "position_ids"}


def _proved(model: Any, chain: Chain, first: int) -> bool:
    short = probe(model)
    batch = replace(short, input_ids=short.input_ids.roll(4))  # 0 is often padding: at an end it draws a warning
    options = {"max_new_tokens": 2, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    go_on = partial(model.generate, **_given(batch), **options, eos_token_id=None, pad_token_id=0)

    def run() -> tuple[Sequence[Tensor], Any]:
        whole = under_way(model, go_on)
        return whole.logits, whole.past_key_values

    return proved_for(model, ("cached", first), partial(proves, model, chain, first, batch, run))

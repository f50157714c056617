"""A run is asked to stop from another thread, and stops before the next block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.core.batch import prepare
from garage_nb.core.cancel import Cancel, cancel_in_force, cancellable
from garage_nb.core.generate import generate, streamed
from garage_nb.core.run import logits, read
from garage_nb.core.sites import Read, Write, everywhere
from garage_nb.errors import CancelledError
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import prompt, tiny
from tests.restored import left_as_it_was, logits_of

from .meeting import Meeting, done, in_thread

LAYERS = 6
OPTIONS = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False}
FAMILIES = ["gpt2", "llama", "gemma3_text", "mixtral"]
KINDS = ["read", "logits", "generate", "capture", "logits with a chain", "generate with a chain"]


def runs_of(model: Any, fn: Callable[[Tensor], Tensor], at: int) -> dict[str, Callable[[], Any]]:
    """Every way to run, each under `fn` at one layer."""
    spec, batch = spec_of(model), prepare(prompt(), model)
    taps = [Write(spec.site(f"layer_{at}"), everywhere(fn), by="told")]
    last = Read(spec.site(f"layer_{LAYERS - 1}"), lambda hidden: None)
    return {
        "read": lambda: read(model, batch, [*taps, last]),
        "logits": lambda: logits(model, batch, taps),
        "generate": lambda: generate(model, batch, taps, **OPTIONS),
        "capture": lambda: SnapshotCapture(model).run(prompt(), under=taps),
        "logits with a chain": lambda: logits(model, batch, taps, chain=spec.chain),
        "generate with a chain": lambda: generate(model, batch, taps, chain=spec.chain, **OPTIONS),
    }


@contextmanager
def calls_of_layers(model: Any) -> Iterator[list[int]]:
    """The number of each block that is called, in order."""
    seen: list[int] = []
    blocks = [model.get_submodule(spec_of(model).parts[f"layer_{i}"].module_path) for i in range(LAYERS)]
    handles = [
        block.register_forward_hook(lambda *_, number=number: seen.append(number))
        for number, block in enumerate(blocks)
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model_type", FAMILIES)
def test_no_other_block_runs_after_the_ask(model_type: str, kind: str) -> None:
    """The ask comes while block 2 stands still: it ends its own work, and block 3 never begins."""
    model, meeting, cancel = tiny(model_type, LAYERS), Meeting(), Cancel()
    told: list[int] = []

    def tell(hidden: Tensor) -> Tensor:
        if not cancel.asked:
            meeting.pause()
            told.append(len(seen))
        return hidden * 0.5

    run = runs_of(model, tell, 2)[kind]
    spec_of(model)
    with left_as_it_was(model):
        with calls_of_layers(model) as seen:

            def cancellable_run() -> Any:
                with cancellable(cancel):
                    return run()

            running = in_thread(cancellable_run)
            meeting.meanwhile(cancel.ask)
            with pytest.raises(CancelledError, match="cancelled before it was done"):
                done(running)

        assert len(seen) - told[0] <= 1  # block 2 itself
        assert seen[-1] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_run_is_right(gpt2: Any, kind: str) -> None:
    model, cancel = tiny("gpt2", LAYERS), Cancel()

    def ask(hidden: Tensor) -> Tensor:
        if cancel_in_force() is cancel:
            cancel.ask()
        return hidden * 0.5

    run = runs_of(model, ask, 2)[kind]
    oracle = runs_of(tiny("gpt2", LAYERS), lambda hidden: hidden * 0.5, 2)[kind]
    wanted, bare = oracle(), logits_of(model)

    with cancellable(cancel), pytest.raises(CancelledError):
        run()

    assert same(run(), wanted)
    assert same(run(), wanted)  # and so is one that uses what the first kept
    assert torch.equal(logits_of(model), bare)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    return a is None or {name: a[name].mean_activation for name in a} == {name: b[name].mean_activation for name in b}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_cancelled_before_it_starts_runs_no_block(gpt2: Any, kind: str) -> None:
    model, cancel = tiny("gpt2", LAYERS), Cancel()
    cancel.ask()
    run = runs_of(model, lambda hidden: hidden, 2)[kind]

    with left_as_it_was(model), calls_of_layers(model) as seen:
        with cancellable(cancel), pytest.raises(CancelledError):
            run()

        assert [number for number in seen if number] == []
        seen.clear()


def test_generation_stops_in_the_midst_of_decoding(gpt2: Any) -> None:
    model, cancel, passes = tiny("gpt2", LAYERS), Cancel(), []

    def ask_at_the_third(hidden: Tensor) -> Tensor:
        passes.append(hidden.shape[1])
        if len(passes) == 3:
            cancel.ask()
        return hidden

    run = runs_of(model, ask_at_the_third, LAYERS - 1)["generate"]
    with left_as_it_was(model), cancellable(cancel), pytest.raises(CancelledError):
        run()

    assert passes == [prompt().shape[1], 1, 1]  # the ask came in the last block; the next step's first one is refused


def test_a_cancel_reaches_its_own_runs_alone(gpt2: Any) -> None:
    batch, bare = prepare(prompt(), gpt2), logits_of(gpt2)

    with cancellable() as outer:
        with cancellable() as inner:
            inner.ask()
            with pytest.raises(CancelledError):
                logits(gpt2, batch)
        assert torch.equal(logits(gpt2, batch), bare)
        assert torch.equal(done(in_thread(lambda: logits(gpt2, batch))), bare)
        outer.ask()
        assert torch.equal(done(in_thread(lambda: logits(gpt2, batch))), bare)  # another context
        assert torch.equal(logits_of(gpt2), bare)  # a plain forward is nobody's to cancel
        with pytest.raises(CancelledError):
            logits(gpt2, batch)
    assert cancel_in_force() is None
    assert torch.equal(logits(gpt2, batch), bare)


def test_a_stream_that_nobody_reads_any_more_ends_its_thread(gpt2: Any) -> None:
    import threading

    before = threading.active_count()
    with left_as_it_was(gpt2):
        tokens = streamed(gpt2, prepare(prompt(), gpt2), max_new_tokens=30, min_new_tokens=30, do_sample=False)
        first = next(tokens)
        assert threading.active_count() == before + 1
        tokens.close()  # type: ignore[attr-defined]

        assert first.shape == (1,)
        assert threading.active_count() == before

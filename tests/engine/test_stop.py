"""The run under way on a model is found by the model and stops, whoever started it; nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.core.batch import prepare
from garage_nb.core.cancel import Cancel, cancellable, stop
from garage_nb.core.generate import streamed
from garage_nb.core.latest import Latest
from garage_nb.core.run import logits
from garage_nb.core.sites import Write, everywhere
from garage_nb.errors import CancelledError
from garage_nb.registry.decompose import spec_of
from tests.families import prompt, tiny
from tests.restored import left_as_it_was

from .meeting import Meeting, done, in_thread

LAYERS = 4


def run_of(model: Any, fn: Callable[[Tensor], Any]) -> Callable[[], Tensor]:
    """A run that hands what leaves block 1 to `fn`."""
    spec, batch = spec_of(model), prepare(prompt(), model)

    def told(hidden: Tensor) -> Tensor:
        fn(hidden)
        return hidden

    taps = [Write(spec.site("layer_1"), everywhere(told), by="told")]
    return lambda: logits(model, batch, taps)


def test_a_run_in_another_thread_ends_before_its_next_block() -> None:
    model, meeting = tiny("llama", LAYERS), Meeting()
    run = run_of(model, lambda hidden: meeting.pause())
    began: list[int] = []

    with left_as_it_was(model):
        handle = model.model.layers[2].mlp.register_forward_hook(lambda *_: began.append(2))
        running = in_thread(run)
        assert meeting.meanwhile(lambda: stop(model))
        with pytest.raises(CancelledError):
            done(running)
        handle.remove()
        assert began == []

    assert not stop(model)


def test_work_of_a_widget_is_stopped_and_the_next_is_done() -> None:
    model, meeting = tiny("gpt2", LAYERS), Meeting()
    first = run_of(model, lambda hidden: meeting.pause())
    second = run_of(model, lambda hidden: None)
    worker: Latest[Tensor] = Latest()

    stopped = worker.ask(first)
    assert meeting.meanwhile(lambda: stop(model))
    with pytest.raises(CancelledError):
        done(stopped)

    assert torch.equal(done(worker.ask(second)), second())


def test_only_the_run_of_that_model_is_stopped() -> None:
    model, other, meeting = tiny("gpt2", LAYERS), tiny("gpt2", LAYERS), Meeting()
    run = run_of(model, lambda hidden: meeting.pause())
    wanted = run_of(other, lambda hidden: None)()

    running = in_thread(run)
    assert not meeting.meanwhile(lambda: stop(other))

    assert torch.equal(done(running), wanted)


def test_a_run_can_be_stopped_from_inside() -> None:
    model = tiny("gpt2", LAYERS)

    with left_as_it_was(model), pytest.raises(CancelledError):
        run_of(model, lambda hidden: stop(model))()


def test_stopping_one_run_leaves_a_cancel_of_the_callers_own_as_it_was() -> None:
    model, mine = tiny("gpt2", LAYERS), Cancel()

    with cancellable(mine), pytest.raises(CancelledError):
        run_of(model, lambda hidden: stop(model))()

    assert not mine.asked
    with cancellable(mine):
        assert torch.equal(run_of(model, lambda hidden: None)(), run_of(model, lambda hidden: None)())


def test_writing_token_by_token_is_stopped() -> None:
    model = tiny("gpt2", LAYERS)
    batch, options = prepare(prompt(), model), {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False}
    taps = [Write(spec_of(model).site("layer_1"), everywhere(_stop_at(model)), by="told")]
    got: list[Tensor] = []

    with left_as_it_was(model), pytest.raises(CancelledError):
        got.extend(streamed(model, batch, taps, **options))

    assert len(got) < 8


def _stop_at(model: Any) -> Callable[[Tensor], Tensor]:
    calls: list[int] = []

    def count(hidden: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) == 3:
            stop(model)
        return hidden

    return count

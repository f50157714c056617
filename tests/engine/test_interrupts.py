"""An interrupt at any instant leaves a model that is what it was, once the sweep after the cell has been."""

from __future__ import annotations

import linecache
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

import garage_nb
from garage_nb.core.hooks import HookManager
from garage_nb.core.undisturbed import recover
from garage_nb.inject.layer import LayerInjector
from tests.families import tiny
from tests.restored import hooks_on, logits_of

from .tour import Tour

ROOT = Path(__file__).parent.parent.parent
ENGINE = (str(Path(garage_nb.__file__).parent / "core"), str(Path(garage_nb.__file__).parent / "inject" / "layer.py"))
STOPS = [
    "read", "logits", "prefix", "rows", "generate", "stream", "block", "hooks", "held", "users own generate",
]  # fmt: skip


@pytest.fixture(scope="module")
def tour() -> Tour:
    return Tour()


class Lines:
    """Interrupts as the n-th line of the engine is about to run; `seen` counts them.

    Not as a `with` is left: there the interpreter lets no signal in between the block and what its `__exit__` does
    first, and a lock's `__exit__` is one step.
    """

    def __init__(self, at: int) -> None:
        self.at, self.seen, self.where = at, 0, ""
        self._begun: dict[FrameType, set[int]] = {}

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(ENGINE):
            return None
        if event == "line" and not self._leaves_a_with(frame):
            self.seen += 1
            if self.seen == self.at:
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self.trace

    def _leaves_a_with(self, frame: FrameType) -> bool:
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip()
        if not line.startswith("with "):
            return False
        begun = self._begun.setdefault(frame, set())
        leaves = frame.f_lineno in begun
        begun.add(frame.f_lineno)
        return leaves


def interrupted(stop: Callable[[], Any], at: int = 0) -> tuple[Lines, BaseException | None]:
    lines, outer = Lines(at), sys.gettrace()
    sys.settrace(lines.trace)
    try:
        stop()
    except KeyboardInterrupt as error:
        return lines, error
    finally:
        sys.settrace(outer)
    return lines, None


def demand_nothing_is_left(tour: Tour, name: str, at: int) -> bool:
    """Whether there was such a line."""
    lines, error = interrupted(tour.stops[name], at)
    assert tour.differences() == [], f"{name}, interrupted before {lines.where}"
    return error is not None


FEW, MANY = 40, 200


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", STOPS)
def test_interrupts_before_lines_of_the_engine_drawn_at_random(tour: Tour, name: str, count: int) -> None:
    whole = interrupted(tour.stops[name])[0].seen
    drawn = random.Random(f"{name} {count}").sample(range(1, whole + 1), min(count, whole))

    assert whole > 30
    assert sum(demand_nothing_is_left(tour, name, at) for at in drawn) > len(drawn) / 2


def run_away(count: int, seed: int) -> str:
    command = [sys.executable, "-m", "tests.engine.interrupts", str(count), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return done.stdout


def test_two_hundred_real_interrupts_at_random_instants() -> None:
    assert "interrupted 200 " in run_away(200, seed=0)


@pytest.mark.slow
def test_two_thousand_real_interrupts_at_random_instants() -> None:
    assert "interrupted 2000 " in run_away(2000, seed=1)


@pytest.mark.parametrize("kind", [LayerInjector, HookManager])
def test_what_a_block_held_is_deaf_before_the_sweep_when_its_exit_never_ran(gpt2: Any, kind: Any) -> None:
    """The interrupt comes as the first line of the block's end is about to run."""
    bare = logits_of(gpt2)

    def at_the_end(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "call" and frame.f_code is kind.__exit__.__code__:
            raise KeyboardInterrupt
        return None

    def cell() -> None:
        with kind(gpt2) as held:
            hold(held)
            assert torch.equal(logits_of(gpt2), torch.zeros_like(bare))
            sys.settrace(at_the_end)

    outer = sys.gettrace()
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            cell()
    finally:
        sys.settrace(outer)

    assert caught.tb is not None  # kept, with all its frames
    assert torch.equal(logits_of(gpt2), bare)
    assert hooks_on(gpt2)  # or the interrupt came too late to mean anything
    assert recover(gpt2) > 0
    assert hooks_on(gpt2) == {}


def hold(held: Any) -> None:
    if isinstance(held, LayerInjector):
        held.inject("lm_head", torch.zeros_like)
    else:
        held.register_injection_hook("lm_head", torch.zeros_like)


@pytest.mark.parametrize("kind", [LayerInjector, HookManager])
def test_a_block_in_an_exit_stack_or_entered_by_hand_stands_until_it_is_left(gpt2: Any, kind: Any) -> None:
    bare, zeros = logits_of(gpt2), torch.zeros_like(logits_of(gpt2))

    with ExitStack() as stack:
        hold(stack.enter_context(kind(gpt2)))
        recover(gpt2)
        assert torch.equal(logits_of(gpt2), zeros)
    assert torch.equal(logits_of(gpt2), bare)

    held = kind(gpt2)
    held.__enter__()
    hold(held)
    recover(gpt2)
    assert torch.equal(logits_of(gpt2), zeros)
    held.__exit__(None, None, None)
    assert torch.equal(logits_of(gpt2), bare)
    assert hooks_on(gpt2) == {}


def test_looking_at_a_block_from_inside_does_not_end_it(gpt2: Any) -> None:
    """As completion does in a notebook."""
    zeros = torch.zeros_like(logits_of(gpt2))

    with LayerInjector(gpt2) as injector:
        hold(injector)
        assert callable(injector.__exit__)
        assert [getattr(injector, name) for name in dir(injector)]
        recover(gpt2)

        assert torch.equal(logits_of(gpt2), zeros)


def test_a_block_in_a_generator_that_waits_stands(gpt2: Any) -> None:
    bare, zeros = logits_of(gpt2), torch.zeros_like(logits_of(gpt2))

    def cell() -> Any:
        with LayerInjector(gpt2) as injector:
            hold(injector)
            yield

    waiting = cell()
    next(waiting)
    recover(gpt2)
    assert torch.equal(logits_of(gpt2), zeros)

    waiting.close()
    assert torch.equal(logits_of(gpt2), bare)
    assert hooks_on(gpt2) == {}


def test_a_pass_whose_traceback_is_kept_restores_nothing_when_that_is_let_go() -> None:
    """IPython keeps the last traceback, and with it a pass that an interrupt cut off while it was being entered."""
    model = tiny("gpt2", layers=1)
    from garage_nb.core.undisturbed import undisturbed

    left_open = undisturbed(model)
    left_open.__enter__()
    recover(model)
    assert torch.is_grad_enabled()

    with torch.no_grad():
        del left_open

        assert not torch.is_grad_enabled()

"""Whatever goes wrong during a run, the model is afterwards what it was before."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from garage_nb.core.attach import Attached
from garage_nb.core.batch import prepare
from garage_nb.core.generate import generate
from garage_nb.core.run import logits, read
from garage_nb.core.sites import Read, Site, Write, everywhere
from garage_nb.core.undisturbed import recover
from garage_nb.errors import GarageError, HookError, InputError, NotFiniteError, UnknownPartError
from garage_nb.inject.edits import Through
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import POSITIONS, prompt, tiny
from tests.restored import hooks_on, left_as_it_was, logits_of

OPTIONS = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}


class Boom(Exception):
    pass


def failing(on_call: int, error: type[BaseException] = Boom) -> Any:
    """Passes hidden states through and raises on its n-th call."""
    calls: list[int] = []

    def step(hidden: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) == on_call:
            raise error("in the module")
        return hidden * 0.5

    return step


@pytest.mark.parametrize("error", [Boom, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("on_call", [1, 2, 4])  # prefill, first and last step
@pytest.mark.parametrize("layer", [0, 2])
@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_a_module_that_raises_in_generate(
    model_type: str, layer: int, on_call: int, error: type[BaseException]
) -> None:
    model, place = tiny(model_type), f"layer_{layer}"

    def generate_under_an_injector() -> None:
        with LayerInjector(model) as injector:
            injector.inject_scaling("layer_1", 0.5)
            injector.inject(place, failing(on_call, error))
            model.generate(prompt(), **OPTIONS)

    with left_as_it_was(model):
        taps = Recipe((Through(place, failing(on_call, error)),)).taps(spec_of(model))
        with pytest.raises(error, match="in the module"):
            generate_under_an_injector()
        with pytest.raises(error, match="in the module"):
            generate(model, prepare(prompt(), model), taps, **OPTIONS)


@pytest.mark.parametrize("error", [Boom, KeyboardInterrupt])
def test_a_reader_that_raises(any_model: Any, error: type[BaseException]) -> None:
    def fail(hidden: torch.Tensor) -> None:
        raise error

    any_model.train()
    flags = [module.training for module in any_model.modules()]
    with pytest.raises(error):
        read(any_model, prepare(prompt(), any_model), [Read(spec_of(any_model).site("attention_1"), fail)])

    assert [module.training for module in any_model.modules()] == flags
    any_model.eval()
    with left_as_it_was(any_model), pytest.raises(error):
        logits(any_model, prepare(prompt(), any_model), [Read(spec_of(any_model).site("attention_1"), fail)])


NAN = float("nan")
FAILING_CAPTURES: dict[str, tuple[dict[str, Any], type[GarageError], str]] = {
    "bad layer": ({"prompt": [1, 2], "layers": ["layer_0", "layer_9"]}, UnknownPartError, "layer_9"),
    "no layer": ({"prompt": [1, 2], "layers": []}, UnknownPartError, "No part"),
    "bad path": ({"prompt": [1, 2], "layers": "transformer.h.9"}, UnknownPartError, r"transformer\.h\.9"),
    "too long": ({"prompt": [1] * (POSITIONS + 1)}, InputError, "65 tokens"),
    "not a number": (
        {"prompt": [1, 2], "under": [Write(Site("transformer.h.1"), everywhere(lambda h: h * NAN), "scale layer_1")]},
        NotFiniteError, "'scale layer_1' makes NaN",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILING_CAPTURES)
def test_a_capture_that_fails(case: str) -> None:
    model, (asked, error, message) = tiny("gpt2"), FAILING_CAPTURES[case]

    with left_as_it_was(model), pytest.raises(error, match=message) as caught:
        SnapshotCapture(model).run(**asked)

    assert str(caught.value).count("\n") == 1


def test_a_model_that_fails_itself_is_left_as_it_was(gpt2: Any) -> None:
    SnapshotCapture(gpt2)  # opened before it fails
    handle = gpt2.transformer.h[2].register_forward_pre_hook(lambda module, args: 1 / 0)
    hooks = hooks_on(gpt2)

    with pytest.raises(ZeroDivisionError):
        SnapshotCapture(gpt2).run(prompt())

    assert hooks_on(gpt2) == hooks
    handle.remove()
    assert hooks_on(gpt2) == {}


def interrupted(model: Any, at_line: int) -> bool:
    """One pass under an edit, interrupted as the n-th line of the engine is about to run. False when it had fewer."""
    taps = [
        Write(Site("transformer.h.0"), everywhere(torch.zeros_like)),
        Read(Site("transformer.h.1"), lambda hidden: None),
    ]
    batch, left = prepare(prompt(), model), [at_line]

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.endswith(("core/attach.py", "core/run.py")):
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
        return trace

    outer = sys.gettrace()
    sys.settrace(trace)
    try:
        read(model, batch, taps)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(outer)
    return False


def test_an_interrupt_before_any_line_of_the_engine_leaves_nothing_that_acts() -> None:
    """A `with` block cannot be entered and left in one instant; the sweep after the cell takes what such a gap left."""
    model = tiny("gpt2", layers=2)
    model.lm_head.train()  # a flag to lose; without dropout it changes no number
    bare, line, swept = logits_of(model), 1, 0

    while interrupted(model, line):
        swept += recover(model)
        assert torch.is_grad_enabled(), f"line {line}"
        assert model.lm_head.training, f"line {line}"
        assert hooks_on(model) == {}, f"line {line}"
        assert torch.equal(logits_of(model), bare), f"line {line}"
        line += 1

    assert line > 100
    assert swept > 0  # or this test interrupts nowhere that matters


def test_a_pass_inside_a_pass_is_refused(gpt2: Any) -> None:
    camera = SnapshotCapture(gpt2)

    def ask_again(hidden: torch.Tensor) -> torch.Tensor:
        camera.run(prompt())
        return hidden

    with left_as_it_was(gpt2), pytest.raises(HookError, match="another is under way"):
        camera.run(prompt(), under=Recipe((Through("layer_0", ask_again),)).taps(camera.spec))


def test_the_next_run_sweeps_what_an_interrupt_left(gpt2: Any) -> None:
    expected = SnapshotCapture(gpt2).run(prompt(), keep=True)["layer_2"].hidden
    Attached(gpt2, [Write(Site("transformer.h.0"), everywhere(torch.zeros_like))]).__enter__()  # never left
    assert hooks_on(gpt2)

    found = SnapshotCapture(gpt2).run(prompt(), keep=True)["layer_2"].hidden

    assert torch.equal(found, expected)
    assert hooks_on(gpt2) == {}


INTERRUPTS = '''
import random, signal, time, torch
from concurrent.futures import ThreadPoolExecutor
from garage_nb.core.undisturbed import recover
from garage_nb.inject.layer import LayerInjector
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import prompt, tiny
from tests.restored import hooks_on, logits_of

model = tiny("gpt2", layers=2)
camera = SnapshotCapture(model)
bare, rng, cut = logits_of(model), random.Random(0), 0
camera.run(prompt())
for _ in range(40):
    signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.0005, 0.02))
    try:
        over = time.monotonic() + 0.5  # an interrupt that falls into a __del__ is swallowed by the interpreter
        while time.monotonic() < over:
            with LayerInjector(model) as injector:
                injector.inject_scaling("layer_0", 0.0)
                camera.run(prompt(), keep=True)
                model.generate(prompt(), max_new_tokens=2, do_sample=False)
    except KeyboardInterrupt:
        cut += 1
    recover(model)
    injector.remove_all()
    assert hooks_on(model) == {}, hooks_on(model)
    assert torch.equal(logits_of(model), bare)
    assert not any(module.training for module in model.modules())
with ThreadPoolExecutor() as others:
    assert others.submit(camera.run, prompt()).result(timeout=60)  # no lock is left held
print("interrupted", cut)
'''  # fmt: skip


def test_thirty_real_interrupts_and_more_at_random_instants() -> None:
    """SIGALRM raises what Ctrl-C raises, in the middle of whatever runs."""
    start = "import signal\nsignal.signal(signal.SIGALRM, signal.default_int_handler)\n"

    done = subprocess.run([sys.executable, "-c", start + INTERRUPTS], capture_output=True, text=True, timeout=240)

    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.removeprefix("interrupted ")) >= 30

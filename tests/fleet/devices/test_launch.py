"""Several processes that share a model answer as one does, and end together whatever happens. Slow to start: each
start asks many things.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from garage_nb.core.cancel import cancellable
from garage_nb.core.fingerprint import AtRest
from garage_nb.errors import (
    CancelledError,
    EngineError,
    InputError,
    UnavailablePartError,
    UnsupportedModelError,
)
from garage_nb.fleet.devices.job import Job, failure_in, put_failure
from garage_nb.fleet.devices.launch import launched, placed
from garage_nb.fleet.devices.ranks import Ranks
from garage_nb.garage import Garage
from garage_nb.verbs import call
from garage_nb.words import words
from tests.families import HIDDEN, saved, tiny

PARTS = "embedding,layer_*,attention_*,ffn_*,layer_norm_final,output_head"
LINES = [
    f"capture 'hello abc 12' --layers {PARTS}",
    "generate 'hello abc' --tokens 4",
    "scale layer_1 0.5",
    f"capture 'hello abc' --layers {PARTS}",
    "reset",
    "noise layer_0,attention_1 0.5 --seed 3",
    f"capture 'hello abc' --layers {PARTS}",
    "generate 'hello abc' --tokens 4",
    "reset",
    "lens 'hello abc'",
    "sweep 'hello abc' --parts layer_1,attention_1",
    "ablation 'hello abc' --metric probability --target a",
    "robustness 'hello abc' --metric probability --target a --draws 2",
    "similarity 'hello abc'",
    "patching 'hello abc' 'hello abd' --metric probability --target a",
]

ALONE = Job("", {}, None, "", "cpu", 2, (), {})


def garage(family: str, folder: Path) -> Garage:
    return Garage(saved(family, folder), device="cpu")


def both(one: Garage, lines: list[str]) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """By two processes, and here."""
    answers = launched(one.lifted, one.edits, lines, 2, 200, asdict(one.settings))
    here = [call(one, words(line, {})) for line in lines]
    return [(a.frame(), b.frame()) for a, b in zip(answers, here, strict=True)]


@pytest.mark.parametrize("family", ["llama", pytest.param("mixtral", marks=pytest.mark.slow)])
def test_two_processes_answer_as_one(family: str, tmp_path: Path) -> None:
    one = garage(family, tmp_path)
    one.steer("layer_1", torch.linspace(-1, 1, HIDDEN), 2.0)

    found = both(one, LINES)

    assert len(found) == len(LINES)
    for line, (shared, alone) in zip(LINES, found, strict=True):
        pd.testing.assert_frame_equal(shared, alone, rtol=1e-4, atol=1e-5, check_dtype=False, obj=line)


def test_the_first_failure_is_the_one_that_is_told(tmp_path: Path) -> None:
    put_failure(tmp_path, 1, UnavailablePartError("It is split.", "Name whole parts."))
    put_failure(tmp_path, 0, RuntimeError("the other is gone\nat some address"))

    told = failure_in(tmp_path)

    assert isinstance(told, UnavailablePartError)
    assert str(told) == "It is split.\nName whole parts."


@pytest.mark.slow
def test_a_line_that_is_refused_ends_all_with_its_own_error(tmp_path: Path, own_temporary: Path) -> None:
    one = garage("llama", tmp_path)

    with pytest.raises(UnavailablePartError, match="is split: each of 2 processes has a share") as refused:
        one.launch("capture 'hello abc' --layers attention_0.head_1")

    assert refused.value.hint.startswith("Name whole parts")
    assert not [*own_temporary.glob("garage-*")]
    assert not running(own_temporary)


def test_one_that_fails_alone_is_named_and_the_other_does_not_wait(tmp_path: Path) -> None:
    ALONE.write(tmp_path)

    with (
        Ranks("tests.fleet.devices.one_sided", tmp_path, ALONE) as ranks,
        pytest.raises(EngineError, match="only here"),
    ):
        ranks.wait(60)

    assert not running(tmp_path)


def test_a_deadline(tmp_path: Path, own_temporary: Path) -> None:
    with pytest.raises(EngineError, match=r"not done in 0\.2 seconds"):
        garage("llama", tmp_path).launch("capture 'hello abc'", seconds=0.2)

    assert not [*own_temporary.glob("garage-*")]
    assert not running(own_temporary)


def test_one_that_is_killed_is_told(tmp_path: Path, own_temporary: Path) -> None:
    def kill() -> None:
        while len(found := running(own_temporary)) < 2:
            time.sleep(0.01)
        os.kill(max(found), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(EngineError, match=r"Process 1 ended by signal 9"):
        garage("llama", tmp_path).launch("capture 'hello abc'")

    killer.join()
    assert not running(own_temporary)


def test_cancel_ends_all(tmp_path: Path, own_temporary: Path) -> None:
    one = garage("llama", tmp_path)

    with cancellable() as cancel:
        threading.Timer(0.3, cancel.ask).start()
        with pytest.raises(CancelledError):
            one.launch("capture 'hello abc'")

    assert not running(own_temporary)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_and_the_end_of_the_launcher_end_all(how: signal.Signals, tmp_path: Path) -> None:
    """They wait for a third that never comes."""
    replace(ALONE, processes=3).write(tmp_path)
    code = f"""
from pathlib import Path
from garage_nb.fleet.devices.job import Job
from garage_nb.fleet.devices.ranks import Ranks
folder = Path({str(tmp_path)!r})
with Ranks("tests.fleet.devices.one_sided", folder, Job.read(folder)) as ranks:
    ranks.wait(60)
"""
    launcher = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while len(running(tmp_path)) < 3:
        time.sleep(0.02)

    launcher.send_signal(how)

    assert launcher.wait(20) != 0
    until = time.monotonic() + 20
    while running(tmp_path) and time.monotonic() < until:
        time.sleep(0.02)
    assert not running(tmp_path)


def test_a_model_is_named_only_while_it_is_as_it_was_loaded(tmp_path: Path) -> None:
    one = garage("llama", tmp_path / "model")
    assert placed(one.lifted, tmp_path) == str(tmp_path / "model")
    with torch.no_grad():
        one.model.model.layers[1].mlp.down_proj.weight.mul_(2)

    again = Garage(placed(one.lifted, tmp_path / "saved"), device="cpu")

    assert again.lifted.baseline.at_rest.digest == AtRest.of(one.model).digest
    live = Garage(tiny("llama"))
    assert placed(live.lifted, tmp_path / "live") == str(tmp_path / "live" / "model")


def test_a_model_without_a_plan_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="no plan to split a GPT2LMHeadModel"):
        Garage(tiny("gpt2")).launch("capture hello")


@pytest.mark.parametrize(
    ("ranks", "said"), [(0, "that is no split"), (1, "that is no split"), (3, "4 num_attention_heads")]
)
def test_a_split_that_does_not_come_out_even_is_refused(ranks: int, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        Garage(tiny("llama")).launch("capture hello", ranks=ranks)

    assert refused.value.hint == "Take --ranks 2."


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("verify", "launch does not run verify"),
        ("", "nothing to run"),
        ("captur hi", "no verb"),
        ("'", "quot"),
        ("capture hi --nope", "Unknown option: --nope"),
    ],
)
def test_lines_that_are_not_for_several_are_refused_before_any_starts(line: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Garage(tiny("llama")).launch(line)


def test_what_each_process_has_a_share_of_can_be_neither_read_nor_changed() -> None:
    one = Garage(tiny("llama"))
    one.model._tp_size = 2
    ids = torch.tensor([[3, 1, 4]])

    for part in ("attention_1.q", "attention_1.head_0", "ffn_1.neurons", "ffn_1.neuron_3", "model.layers.0.mlp.act_fn"):
        with pytest.raises(UnavailablePartError, match="is split"):
            one.capture(ids, layers=part)
        one.scale(part, 0.5)
        with pytest.raises(UnavailablePartError, match="is split"):
            one.capture(ids)
        one.reset()
    with pytest.raises(UnavailablePartError, match="is split"):
        one.attention(ids)


def test_a_stage_of_a_pipeline_is_refused() -> None:
    from transformers.distributed.pipeline_parallel import PipelineIdentityLayer

    model = tiny("llama")
    model.model.layers[2] = PipelineIdentityLayer()

    with pytest.raises(UnsupportedModelError, match="one stage of a pipeline"):
        Garage(model)


@pytest.fixture
def own_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def running(place: Path) -> list[int]:
    """The processes that were told of something below this folder."""
    found = []
    for told in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = told.read_bytes().split(b"\0")
            if b"-m" in words and any(word.startswith(bytes(place)) for word in words):
                found.append(int(told.parent.name))
    return sorted(found)

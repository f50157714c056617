"""A process that saves over an older hybrid is killed, or runs out of space: the old one is whole, or the new one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from garage_nb.compose.graft import Stack
from tests.compose.assembly.test_saving import files
from tests.compose.bench import built, logits, pair

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it asks Linux for forks, signals and limits")

_CHILDREN = """
import os, resource, signal, sys
from pathlib import Path
from garage_nb.compose.graft import Stack
from garage_nb.errors import BuildError
from tests.compose.bench import built, pair

hybrid = built(pair("llama"), Stack.of("b[3] 0 1"))
hybrid.save_pretrained(Path(sys.argv[1]) / "warm")  # what transformers opens only once
place, dying = Path(sys.argv[1]) / "place", [0]

def die(event, arguments):
    wrote = event == "open" and isinstance(arguments[1], str) and set("wxa") & set(arguments[1])
    if dying[0] and (wrote or event in ("os.rename", "os.mkdir", "os.rmdir", "os.remove")):
        dying[0] -= 1
        if not dying[0]:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)

def status(run):
    child = os.fork()
    if not child:
        try:
            run()
            os._exit(0)
        except BuildError as error:
            print(str(error).count(chr(10)), error.what, flush=True)
            os._exit(3)
        finally:
            os._exit(4)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def killed(at):
    dying[0] = at
    hybrid.save_pretrained(place)

def short_of_space(size):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    hybrid.save_pretrained(place)

print("ready", flush=True)
for line in sys.stdin:
    what, number = line.split()
    print("status", status(lambda: globals()[what](int(number))), flush=True)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With an older hybrid in `place`."""
    folder = tmp_path_factory.mktemp("killed")
    built(pair("llama"), Stack.of("0 1")).save_pretrained(folder / "place")
    return folder


@pytest.fixture(scope="module")
def saver(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has a newer hybrid, and tries to save it in a child of its own as it is told."""
    with subprocess.Popen(
        [sys.executable, "-c", _CHILDREN, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert any(line == "ready\n" for line in process.stdout)
        yield process
        process.stdin.close()


def told(saver: subprocess.Popen[str], order: str) -> tuple[int, list[str]]:
    """How the child ended, and what it said."""
    assert saver.stdout is not None
    assert saver.stdin is not None
    saver.stdin.write(f"{order}\n")
    saver.stdin.flush()
    said: list[str] = []
    for line in saver.stdout:
        if line.startswith("status "):
            return int(line.split()[1]), said
        said.append(line.rstrip("\n"))
    raise AssertionError("the saver is gone")


@pytest.mark.parametrize("size", [100, 1_000, 10_000, 60_000])
def test_no_space_left(saver: subprocess.Popen[str], home: Path, size: int) -> None:
    """No file may grow beyond so many bytes, which ends it in the config, in the weights, or in the record."""
    before, beside = files(home / "place"), set(home.iterdir())

    ended, said = told(saver, f"short_of_space {size}")

    assert ended == 3
    assert said[-1].startswith("1 The model cannot be written: ")
    assert files(home / "place") == before
    assert set(home.iterdir()) == beside


def test_killed_at_any_step(saver: subprocess.Popen[str], home: Path) -> None:
    """At the first file it opens to write, folder it makes, or name it changes, then at the second, to the end."""
    old, new = files(home / "place"), files(home / "warm")
    assert old["model.safetensors"] != new["model.safetensors"]
    steps, ended, met = 0, -signal.SIGKILL, []

    while ended == -signal.SIGKILL:
        steps += 1
        ended, _ = told(saver, f"killed {steps}")
        met.append(files(home / "place"))

    assert ended == 0
    assert steps > 8
    assert all(found in (old, new) for found in met)
    assert met[0] == old
    assert met[-1] == new


def test_what_a_killed_one_left_is_hidden_and_gone_after_the_next(saver: subprocess.Popen[str], home: Path) -> None:
    """Nothing opens an unfinished folder, and whoever saves there again clears it."""
    assert {path.name for path in home.iterdir()} == {"place", "warm"}

    told(saver, "killed 4")

    (left,) = {path.name for path in home.iterdir()} - {"place", "warm"}
    assert left.startswith(".place.")
    assert left.endswith(".tmp")
    assert told(saver, "killed 1000")[0] == 0
    assert {path.name for path in home.iterdir()} == {"place", "warm"}


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    from garage_nb.errors import BuildError

    (tmp_path / "file").write_text("mine")
    hybrid = built(pair("llama"), Stack.of("0 1"))

    with pytest.raises(BuildError, match="cannot be written") as caught:
        hybrid.save_pretrained(tmp_path / "file" / "place")

    assert str(caught.value).count("\n") == 1
    assert files(tmp_path) == {"file": b"mine"}


def test_the_new_one_opens(saver: subprocess.Popen[str], home: Path) -> None:
    assert told(saver, "killed 1000")[0] == 0

    model = AutoModelForCausalLM.from_pretrained(home / "place", local_files_only=True).eval()

    assert json.loads((home / "place" / "config.json").read_text())["num_hidden_layers"] == 3
    assert torch.equal(logits(model), logits(built(pair("llama"), Stack.of("b[3] 0 1")).model))

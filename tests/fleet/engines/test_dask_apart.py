"""Dask where it lives with others: in a notebook's kernel, in a script, at a scheduler that goes away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.manager import start_new_kernel

from garage_nb.errors import EngineError
from garage_nb.fleet.driving.driver import drive
from garage_nb.fleet.driving.ledger import Ledger
from garage_nb.fleet.engines.dask import DaskCrew
from tests.fleet.driving.work import kept, results, sums

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
FROM_HERE = {**os.environ, "PYTHONPATH": str(ROOT)}

IN_A_KERNEL = """
import hashlib, json, os
from pathlib import Path
from garage_nb.fleet.driving.driver import drive
from garage_nb.fleet.driving.ledger import Ledger
from garage_nb.fleet.engines.dask import DaskCrew
from tests.fleet.driving.work import kept, sums

crew = DaskCrew(workers=2)
crew.__enter__()

def survey(folder):
    whole = hashlib.sha256()
    for settled in drive(sums({count}), crew, Ledger(folder)):
        if settled.number == 10:
            print("under way", flush=True)
        whole.update(settled.data)
    print(whole.hexdigest())

def asked(what):
    from distributed import Client
    with Client(crew.address, set_as_default=False) as client:
        return what(client)

def workers():
    return sorted(asked(lambda client: client.run(os.getpid)).values())

def busy():
    return sum(map(len, asked(lambda client: client.processing()).values()))
"""
COUNT = 400


@pytest.fixture
def kernel() -> Iterator[tuple[Any, Any]]:
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(ROOT))
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel()


def ended(client: Any, cell: str) -> tuple[str, str]:
    """What a cell printed, and the name of its error."""
    printed, error = "", ""
    while True:
        message = client.get_iopub_msg(timeout=120)
        if message["parent_header"].get("msg_id") != cell:
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            printed += content["text"]
        elif message["msg_type"] == "error":
            error = content["ename"]
        elif message["msg_type"] == "status" and content["execution_state"] == "idle":
            return printed, error


def run(client: Any, source: str) -> str:
    printed, error = ended(client, client.execute(source))
    assert not error, (printed, error)
    return printed


def test_interrupts_of_a_notebook_cost_nothing_that_was_done(kernel: tuple[Any, Any], tmp_path: Path) -> None:
    manager, client = kernel
    run(client, IN_A_KERNEL.replace("{count}", str(COUNT)))
    before = run(client, "print(workers())")

    done = []
    for _ in range(5):
        cell = client.execute(f"survey({str(tmp_path)!r})")
        while client.get_iopub_msg(timeout=120)["msg_type"] != "stream":
            pass
        manager.interrupt_kernel()
        assert ended(client, cell)[1] == "KeyboardInterrupt"
        done.append(len(kept(tmp_path)))
        assert run(client, "print(busy())") == "0\n"
    digest = run(client, f"survey({str(tmp_path)!r})").split()[-1]

    assert 0 < done[0] < COUNT
    assert done == sorted(done)
    assert run(client, "print(workers())") == before
    assert digest == run(client, f"survey({str(tmp_path / 'new')!r})").split()[-1]
    run(client, "crew.__exit__()")
    assert not any(map(psutil.pid_exists, json.loads(before)))


def test_a_script_without_its_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from garage_nb.fleet.engines.dask import DaskCrew\nDaskCrew(workers=1).__enter__()\n")

    ended = subprocess.run(
        [sys.executable, script], cwd=ROOT, capture_output=True, text=True, timeout=120, env=FROM_HERE
    )

    assert ended.returncode == 1
    assert "EngineError: Dask's workers do not start" in ended.stderr
    assert 'keep what starts workers below `if __name__ == "__main__":`' in ended.stderr


def test_a_scheduler_that_goes_away_is_one_error_and_what_was_done_is_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tasks = sums(400)
    code = (
        "from garage_nb.fleet.engines.scheduler import local\n"
        "if __name__ == '__main__':\n"
        "    with local(2) as client: print(client.scheduler.address, flush=True); input()\n"
    )
    (tmp_path / "elsewhere.py").write_text(code)
    command = [sys.executable, str(tmp_path / "elsewhere.py")]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=FROM_HERE
    ) as elsewhere:
        assert elsewhere.stdout is not None
        with DaskCrew(elsewhere.stdout.readline().strip()) as crew:
            midway = drive(tasks, crew, Ledger(tmp_path / "ledger"))
            first = next(midway)
            elsewhere.kill()
            with pytest.raises(EngineError, match=r"Dask at tcp://127\.0\.0\.1:\d+ cannot be used"):
                list(midway)

    assert first == results(tasks)[0]
    assert tasks[0].key in kept(tmp_path / "ledger")
    assert "distributed" not in capfd.readouterr().err

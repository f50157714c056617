"""The doctor tells this machine's truth, and finds what was broken on purpose."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from nbclient import NotebookClient
from nbformat import v4

from garage_nb.answers.health import Health
from garage_nb.doctor.check import Check
from garage_nb.doctor.machine import folder, machine, threads
from garage_nb.doctor.packages import packages
from garage_nb.garage import Garage

ASK = "import garage_nb.garage as g, json; print(g.Garage().doctor().frame().reset_index().to_json(orient='records'))"


def checks(code: str, **environment: str) -> dict[str, dict[str, str]]:
    """What the doctor finds in a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return {row["check"]: row for row in json.loads(done.stdout)}


def test_versions_are_those_that_are_installed() -> None:
    found = {check.name: check for check in packages()}

    assert found["python"].found.startswith(platform.python_version())
    for name in ("torch", "transformers", "ipython", "ipywidgets", "anywidget", "ipykernel", "jupyterlab"):
        assert (found[name].state, found[name].found) == ("ok", version(name))


def test_a_package_that_is_gone_is_to_fix_with_what_to_type(tmp_path: Path) -> None:
    """An environment that has everything but one package: links to all the others."""
    site = Path(torch.__file__).parents[1]
    for item in site.iterdir():
        if not item.name.lower().startswith("ipywidgets"):
            (tmp_path / item.name).symlink_to(item)
    root = str(Path(__file__).parents[2])
    code = f"import sys; sys.path = [p for p in sys.path if p != {str(site)!r}] + [{str(tmp_path)!r}, {root!r}]; {ASK}"

    found = checks(code)

    assert found["ipywidgets"]["state"] == "fix"
    assert found["ipywidgets"]["found"] == "not installed"
    assert found["ipywidgets"]["todo"].startswith('pip install "ipywidgets')
    assert found["anywidget"]["state"] == "ok"


def test_a_package_that_is_too_old_is_to_fix(tmp_path: Path) -> None:
    old = tmp_path / "anywidget-0.1.0.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: anywidget\nVersion: 0.1.0\n")

    found = checks(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {ASK}")

    assert found["anywidget"]["state"] == "fix"
    assert found["anywidget"]["found"] == "0.1.0, too old"
    assert "--upgrade" in found["anywidget"]["todo"]


def test_a_folder_that_cannot_be_written_is_to_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    found = checks(ASK, GARAGE_NB_CACHE=str(tmp_path / "file" / "specs"))

    assert found["catalogue"]["state"] == "fix"
    assert str(tmp_path / "file") in found["catalogue"]["found"]
    assert "GARAGE_NB_CACHE" in found["catalogue"]["todo"]


def test_a_folder_is_measured_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "file").write_bytes(b"0" * 1500)

    check = folder("catalogue", tmp_path, "GARAGE_NB_CACHE")

    assert check.state == "ok"
    assert f"{tmp_path}, 1.5 kB" in check.found
    assert [path.name for path in tmp_path.rglob("*")] == ["inside", "file"]
    assert "not there yet" in folder("catalogue", tmp_path / "new" / "one", "GARAGE_NB_CACHE").found
    assert not (tmp_path / "new").exists()


def test_more_threads_than_processors_are_to_check() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(len(os.sched_getaffinity(0)) + 1)
        assert (threads().state, "torch.set_num_threads" in threads().todo) == ("check", True)
        torch.set_num_threads(1)
        assert threads().state == "ok"
    finally:
        torch.set_num_threads(before)


def test_the_machine_is_told_as_it_is() -> None:
    found = {check.name: check for check in machine()}

    assert ("none" in found["accelerator"].found) != (torch.cuda.is_available() or torch.backends.mps.is_available())
    assert "switched off" in found["hub"].found  # the tests run offline


def test_outside_a_notebook_nothing_is_claimed_of_one() -> None:
    found = {check.name: check for check in Garage().doctor().checks}

    assert found["kernel"].state == "check"
    assert "server" not in found
    assert found["page"].found == "not asked"
    assert "show ping" in found["page"].todo


def test_in_a_kernel_it_says_what_the_kernel_can_know() -> None:
    """A kernel of this process's own: subshells are known, and its parent is no Jupyter server."""
    notebook: Any = v4.new_notebook(cells=[v4.new_code_cell(ASK)])

    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()

    found = {row["check"]: row for row in json.loads(notebook.cells[0].outputs[0].text)}
    assert found["kernel"]["found"].startswith(f"ipykernel {version('ipykernel')}")
    assert ("with subshells" in found["kernel"]["found"]) == (int(version("ipykernel").split(".")[0]) >= 7)
    assert found["server"]["state"] == "check"
    assert found["server"]["found"].startswith("unknown: the kernel was started by")


def test_a_page_that_answered_is_told() -> None:
    garage = Garage()
    ping = garage.show("ping")
    assert "no answer yet" in repr(garage.doctor())

    ping.milliseconds = 14.2

    assert "answered in 14 ms" in repr(garage.doctor())


def test_the_worst_line_makes_the_title() -> None:
    well, look, broken = Check("a", "ok", "1"), Check("b", "check", "2", "look"), Check("c", "fix", "3", "mend")

    assert repr(Health((well,))).startswith("All is well")
    assert repr(Health((well, look))).startswith("All that is needed works; 1 to check")
    assert repr(Health((well, look, broken))).startswith("1 to fix, 1 to check")
    assert (bool(Health((well, look))), bool(Health((well, broken)))) == (True, False)
    assert "→ mend" in repr(Health((broken,)))
    assert list(Health((well, broken)).frame()["todo"]) == ["", "mend"]

"""`garage demo`: the notebook in this folder, never over another, in a JupyterLab of this environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from garage_nb.command.demo import NAME, copied, shipped
from garage_nb.errors import GarageError

ROOT = Path(__file__).parents[2]
FOLDERS = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR")


def test_the_notebook_is_copied_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = copied(tmp_path)

    assert notebook == tmp_path / NAME
    assert notebook.read_bytes() == shipped().read_bytes()
    assert list(tmp_path.iterdir()) == [notebook]
    assert "copied" in capsys.readouterr().err


def test_a_notebook_that_is_there_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / NAME).write_text("mine")

    assert copied(tmp_path).read_text() == "mine"
    assert "as it is" in capsys.readouterr().err


def test_a_folder_that_is_none_is_said_in_two_lines(tmp_path: Path) -> None:
    with pytest.raises(GarageError, match=r"cannot be written: .*\n.*folder of your own"):
        copied(tmp_path / "none")


def test_jupyterlab_opens_the_copy(tmp_path: Path) -> None:
    """Its browser is a program that says which page it was to open."""
    own = {name: str(tmp_path / name.lower()) for name in FOLDERS}
    environment = {**os.environ, **own, "PYTHONPATH": str(ROOT), "BROWSER": "echo OPENED %s"}
    (tmp_path / "here").mkdir()
    (tmp_path / "jupyter_config_dir").mkdir()
    (tmp_path / "jupyter_config_dir" / "jupyter_server_config.py").write_text(
        "c.ServerApp.allow_root = True\nc.ServerApp.port = 0\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-m", "garage_nb", "demo"],
        cwd=tmp_path / "here", env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        opened = next((line.split()[1] for line in server.stdout if line.startswith("OPENED")), "")
        page = Path(urlsplit(opened).path).read_text()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=60)

    assert f"/lab/tree/{NAME}" in page
    assert (tmp_path / "here" / NAME).is_file()


def test_without_jupyterlab_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.path = [p for p in sys.path if 'site-packages' not in p]\n"
        "from garage_nb.__main__ import main\n"
        "sys.exit(main(['demo']))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert "JupyterLab is not installed" in done.stderr
    assert "garage-nb[lab]" in done.stderr
    assert list(tmp_path.iterdir()) == []

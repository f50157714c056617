"""A JupyterLab server of our own: its folders are temporary, and nothing under the home folder is read or written."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SETTINGS = {
    # no toast in pictures
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
COMMS = "@jupyterlab/apputils-extension/kernels-settings"


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, the folder it serves and the folder of its settings."""

    url: str
    root: Path
    settings: Path

    def set(self, plugin: str, values: dict[str, Any]) -> None:
        file = self.settings / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))


@contextmanager
def running(base: Path) -> Iterator[Lab]:
    """A server with everything it writes under `base`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}", base / "root", base / "settings")
    lab.root.mkdir()
    for plugin, values in SETTINGS.items():
        lab.set(plugin, values)
    with (base / "lab.log").open("w") as log:
        server = subprocess.Popen(
            _command(lab, port), env=_environment(base), stdout=log, stderr=subprocess.STDOUT, cwd=lab.root
        )
    try:
        _wait_for(lab.url, server, base / "lab.log")
        yield lab
    finally:
        server.terminate()
        server.wait(30)


def _command(lab: Lab, port: int) -> list[str]:
    options = {
        "ip": "127.0.0.1", "port": port, "ServerApp.port_retries": 0, "ServerApp.root_dir": lab.root,
        "IdentityProvider.token": "", "ServerApp.password": "", "ServerApp.disable_check_xsrf": True,
        "LabApp.expose_app_in_browser": True, "LabApp.extension_manager": "readonly", "LabApp.news_url": "",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }  # fmt: skip
    told = [f"--{key}={value}" for key, value in options.items()]
    return [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *told]


def _environment(base: Path) -> dict[str, str]:
    folders = {
        "HOME": "home", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython", "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }  # fmt: skip
    own = {key: str(base / folder) for key, folder in folders.items()}
    return {**os.environ, **own, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{url}/api/status", timeout=1)
            return
        except OSError:
            if _ended(server, within=0.25):
                break
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


def _ended(server: subprocess.Popen[bytes], *, within: float) -> bool:
    try:
        server.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True

"""One real Jupyter kernel whose cell runs plain forwards while messages of the front end run edits beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from .meeting import PATIENCE

ROOT = Path(__file__).parent.parent.parent
MESSAGES = 20

SETUP = """
%load_ext garage_nb
import json, torch
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.edits import Scale
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import prompt, tiny
from tests.restored import hooks_on, logits_of

model = tiny("gpt2")
camera = SnapshotCapture(model)
get_ipython().run_line_magic("garage", "load @model");
taps = Recipe((Scale("layer_0", 0.5),)).taps(camera.spec)
bare = logits_of(model)
wanted = camera.run(prompt(), "layer_2", under=taps)["layer_2"].mean_activation
with LayerInjector(model) as injector:
    injector.inject_scaling("layer_0", 0.5)
    edited = logits_of(model)
assert not torch.equal(edited, bare)
count = {"plain": 0, "contaminated": 0, "edited": 0, "effective": 0}

def beside(*_):
    with LayerInjector(model) as injector:
        injector.inject_scaling("layer_0", 0.5)
        right = torch.equal(logits_of(model), edited)
    right &= camera.run(prompt(), "layer_2", under=taps)["layer_2"].mean_activation == wanted
    count["effective"] += right
    count["edited"] += 1

def plain():
    count["contaminated"] += not torch.equal(logits_of(model), bare)
    count["plain"] += 1

def target(comm, message):
    comm.on_msg(beside)

get_ipython().kernel.comm_manager.register_target("slider", target)
"""

# The messages are answered beside the cell, so it ends when all of them have been.
SYNC_CELL = f"""
import time
print("begun")
until = time.monotonic() + {PATIENCE}
while count["edited"] < {MESSAGES} and time.monotonic() < until:
    plain()
print(json.dumps({{**count, "left": len(hooks_on(model))}}))
"""

ASYNC_CELL = f"""
import asyncio, time
print("begun")
until, mine = time.monotonic() + {PATIENCE}, {{"plain": 0, "contaminated": 0}}
with LayerInjector(model) as outer:
    outer.inject("layer_2", torch.neg)
    inside = logits_of(model)
    while count["edited"] < {MESSAGES} and time.monotonic() < until:
        mine["contaminated"] += not torch.equal(logits_of(model), inside)
        mine["plain"] += 1
        await asyncio.sleep(0)
print(json.dumps({{**count, **mine, "left": len(hooks_on(model))}}))
"""


class Lab:
    """A front end that talks to one kernel."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client

    def run(self, code: str) -> str:
        return self.ended(self.client.execute(code))

    def began(self, code: str) -> str:
        """Start a cell and come back as soon as it has said so."""
        cell = self.client.execute(code)
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") == cell and message["msg_type"] == "stream":
                return str(cell)

    def ended(self, cell: str) -> str:
        """What a cell printed, once it is done."""
        printed = ""
        while True:
            message = self.client.get_iopub_msg(timeout=2 * PATIENCE)
            if message["parent_header"].get("msg_id") != cell:
                continue
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                printed += message["content"]["text"]
            if message["msg_type"] == "error":
                pytest.fail("\n".join(message["content"]["traceback"]))
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return printed

    def subshell(self) -> str:
        """A second thread in the kernel that answers messages, as JupyterLab asks for."""
        request = self.client.session.msg("create_subshell_request")
        self.client.control_channel.send(request)
        while True:
            reply = self.client.get_control_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == request["header"]["msg_id"]:
                return str(reply["content"]["subshell_id"])

    def send(self, kind: str, content: dict[str, Any], subshell: str | None = None) -> None:
        message = self.client.session.msg(kind, content)
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(ROOT))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=2 * PATIENCE)
    yield Lab(client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def ready(lab: Lab) -> Lab:
    lab.run(SETUP)
    return lab


def code(source: str) -> dict[str, Any]:
    return {
        "code": source, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False
    }  # fmt: skip


def counted(printed: str) -> dict[str, int]:
    found: dict[str, int] = json.loads(printed.splitlines()[-1])
    return found


def test_a_subshell_that_runs_edits_beside_a_busy_cell(ready: Lab) -> None:
    """Each of its messages is a cell of its own, swept when it ends, in the middle of the other one's pass."""
    subshell = ready.subshell()

    cell = ready.began(SYNC_CELL)
    for _ in range(MESSAGES):
        ready.send("execute_request", code("beside()"), subshell)
    found = counted(ready.ended(cell))

    assert found["contaminated"] == 0, found
    assert found["effective"] == found["edited"] == MESSAGES
    assert found["plain"] > 0
    assert ready.run("print(len(hooks_on(model)))").strip() == "0"


@pytest.mark.parametrize("in_subshell", [True, False])
def test_comm_messages_while_an_async_cell_awaits_inside_its_block(ready: Lab, in_subshell: bool) -> None:
    subshell = ready.subshell() if in_subshell else None
    comm = f"slider-{in_subshell}"
    ready.send("comm_open", {"comm_id": comm, "target_name": "slider", "data": {}}, subshell)

    cell = ready.began(ASYNC_CELL)
    for _ in range(MESSAGES):
        ready.send("comm_msg", {"comm_id": comm, "data": {}}, subshell)
    found = counted(ready.ended(cell))

    assert found["contaminated"] == 0, found
    assert found["effective"] == found["edited"] == MESSAGES
    assert found["plain"] > 0
    assert ready.run("print(len(hooks_on(model)))").strip() == "0"

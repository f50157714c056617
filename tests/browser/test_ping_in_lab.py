"""`%garage show ping` in a real JupyterLab: page and kernel answer each other, and the doctor knows it afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import expect

from garage_nb.garage import Garage
from garage_nb.widgets.ping import Ping

from .labpage import Alone, Notebook

CELLS = ["%load_ext garage_nb", "%garage show ping", "%garage doctor"]
HEARD = "print(get_ipython().run_line_magic('garage', 'doctor').frame()['state']['page'])"
STATES = "import json; print(get_ipython().run_line_magic('garage', 'doctor').frame()['state'].to_json())"


@pytest.mark.parametrize("comms", ["perCommTarget", "disabled"])
def test_the_page_answers_and_the_doctor_tells(
    open_notebook: Callable[..., AbstractContextManager[Notebook]], comms: str
) -> None:
    with open_notebook(f"ping-{comms}", CELLS, comms) as notebook:
        assert notebook.run_all()
        said = notebook.cell(1).get_by_role("status").filter(has_text="ms")
        expect(said).to_contain_text("Page and kernel answer each other")

        assert notebook.python_until(HEARD, "ok") == "ok"  # the kernel hears of it after the page has said it
        states = json.loads(notebook.python(STATES))

        assert states["page"] == states["server"] == states["widgets"] == states["kernel"] == "ok"
        assert "fix" not in states.values()


def test_it_tells_the_time_it_took(alone: Alone) -> None:
    garage: Any = Garage()
    panel = alone.show(Ping(garage))
    expect(panel).to_contain_text("waits for the kernel")

    alone.page.evaluate("T.emit('msg:custom', { kind: 'pong' })")

    expect(panel).to_contain_text("Page and kernel answer each other")
    assert alone.get("saved")[0]["milliseconds"] >= 0

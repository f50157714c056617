"""Tab and Shift+Tab over the wire: complete and inspect requests to a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import IPython
import pytest
from jupyter_client.manager import start_new_kernel

from tests.magics.test_completion import TYPED


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    manager, client = start_new_kernel(kernel_name="python3")
    client.execute("%load_ext garage_nb\n%garage load showroom;", reply=True, timeout=120)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_the_kernel_is_of_this_ipython(kernel: Any) -> None:
    wanted = {"version": "__import__('IPython').__version__"}
    reply = kernel.execute("", user_expressions=wanted, reply=True, timeout=60)["content"]

    assert reply["user_expressions"]["version"]["data"]["text/plain"] == repr(IPython.__version__)


CODES = {
    "%garage sc": ("%garage ", "scale", "verb"),
    "x = %garage capture 'a' --lay": ("x = %garage capture 'a' ", "--layers", "option"),
    "1\n%garage scale 0,attention_*.h": ("1\n%garage scale 0,", "attention_*.heads", "selector"),
    "%%garage scale layer_4": ("%%garage scale ", "layer_4", "part"),
}


@pytest.mark.parametrize("code", CODES)
def test_a_kernel_answers_a_complete_request(kernel: Any, code: str) -> None:
    kept, text, kind = CODES[code]

    reply = kernel.complete(code, reply=True, timeout=60)["content"]

    start, types = reply["cursor_start"], reply["metadata"]["_jupyter_types_experimental"]
    assert reply["status"] == "ok"
    assert reply["cursor_end"] == len(code)
    assert kept + text in [code[:start] + match for match in reply["matches"]]
    if TYPED:
        assert code[:start] == kept
        assert {item["text"]: item["type"] for item in types}[text] == kind
        assert {item["type"] for item in types} <= {"verb", "option", "selector", "part"}


@pytest.mark.parametrize("code", ["%garage", "%%garage"])
def test_a_kernel_answers_an_inspect_request(kernel: Any, code: str) -> None:
    reply = kernel.inspect(code, len(code), reply=True, timeout=60)["content"]

    assert reply["found"]
    assert "%garage help" in reply["data"]["text/plain"]
    assert 'garage.scale("layer_3", 0.5)' in reply["data"]["text/plain"]

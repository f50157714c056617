"""Ping: what the page may say, and what stands in for it where there is no page."""

from __future__ import annotations

from typing import Any

import pytest

from garage_nb.errors import InputError
from garage_nb.garage import Garage
from garage_nb.widgets.ping import Ping


@pytest.fixture
def ping() -> Ping:
    return Ping(Garage())


def test_without_a_page_it_says_what_to_do(ping: Ping) -> None:
    bundle = ping._repr_mimebundle_()[0]

    assert repr(ping) == "Ping(The page has not answered)"
    assert "restart the server, not the kernel" in bundle["text/html"]


def test_the_pages_answer_is_kept(ping: Ping) -> None:
    ping.set_state({"milliseconds": 14})

    assert ping.milliseconds == 14.0
    assert repr(ping) == "Ping(The page answered in 14 ms)"
    assert "restart" not in ping._repr_mimebundle_()[0]["text/html"]


@pytest.mark.parametrize("said", [-1, "14", True, [1], {"a": 1}])
def test_what_is_no_time_is_refused(ping: Ping, said: Any) -> None:
    ping.set_state({"milliseconds": said})

    assert ping.milliseconds is None
    assert isinstance(ping.last_error, InputError)
    assert "no time" in ping._error

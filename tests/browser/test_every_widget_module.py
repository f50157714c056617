"""Every widget's module with as much in it as there may be, narrow and wide: no text is cut, none is on another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from garage_nb.garage import Garage
from garage_nb.widgets.live import Live

from .crowded import MADE, NAME, TROUBLE, crowded
from .labpage import Alone

WIDTHS = [280, 420, 700, 1000]
ERROR = "The prompt has 3000 tokens, and this model reads 128 at most.\nShorten it, or load a model that reads more."
PROGRESS = "Paused after 1,023 of 1,024 tokens written, of which there are more than a line can hold"


@pytest.fixture
def garage() -> Iterator[Garage]:
    garage = Garage("showroom")
    yield garage
    garage.reset()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", MADE)
def test_every_text_has_a_place_of_its_own(alone: Alone, garage: Garage, name: str, width: int) -> None:
    widget, state = crowded(name, garage)
    if isinstance(widget, Live):
        assert widget.wait(60)
        state |= {"_progress": PROGRESS, "_running": True}

    panel = alone.show(widget, width=width, **{**state, "_title": NAME, "_error": ERROR})

    panel.get_by_role("alert").wait_for()
    alone.picture(panel, f"crowded_{name}_{width}")
    seen = panel.evaluate(TROUBLE)
    assert seen["found"] == []
    assert seen["texts"] > 15
    widget.close()

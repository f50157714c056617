"""What holds for every widget, without a page: whatever a page sends its state stays valid, and it keeps no model."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb import Garage
from garage_nb.errors import GarageError
from garage_nb.widgets.live import Live
from garage_nb.widgets.named import NAMED, made
from garage_nb.widgets.panel import Panel

from ..families import tiny
from ..restored import hooks_on
from .messages import GOOD, PROMPT, Messages, asked, from_page

FIXED = ("_esm", "_css", "_title", "layout", "tabbable", "tooltip", "_dom_classes", "_view_module", "_anywidget_id")
RANDOM = 1_000  # messages
ENOUGH = 60  # seconds


def panels_of(widget: Any) -> list[Panel]:
    return [widget] if isinstance(widget, Panel) else list(widget.children)


def settled(widget: Any) -> Any:
    assert all(panel.wait(ENOUGH) for panel in panels_of(widget) if isinstance(panel, Live))
    return widget


def opened(name: str, garage: Garage, prompt: str = PROMPT, **options: Any) -> Any:
    given = {} if name in ("picker", "composer", "ping") else {"prompt": prompt}
    return settled(made(name, garage, **given, **options))


def logits(garage: Garage) -> torch.Tensor:
    with torch.no_grad():
        answer: torch.Tensor = garage.model(**garage.tokenizer(PROMPT, return_tensors="pt")).logits
    return answer


def at_work() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "garage_nb panel"]


def demand_valid(panel: Panel) -> None:
    """Every trait can be sent: bytes, or JSON in UTF-8 as Jupyter packs it."""
    for name, value in panel.get_state().items():
        if name not in ("_esm", "_css") and not isinstance(value, bytes | memoryview):
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    assert len(panel._error) < 500


@pytest.fixture
def garage() -> Garage:
    return Garage("showroom")


@pytest.fixture(params=["picker", "bench", "scope", "attention", "lens", "debate"])
def panel(request: pytest.FixtureRequest, garage: Garage) -> Iterator[Panel]:
    panel = opened(request.param, garage)
    yield panel
    panel.close()


def test_a_thousand_hostile_messages_leave_a_valid_panel(
    panel: Panel, garage: Garage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bare, hooks, messages = logits(garage), hooks_on(garage.model), Messages(panel, seed=6)
    fixed = {name: getattr(panel, name) for name in FIXED if panel.has_trait(name)}

    for number in range(RANDOM // 2):
        name, value, hopeless = messages.state()
        from_page(panel, **{name: value})
        assert panel._error or not hopeless, (name, str(value)[:80])
        asked(panel, messages.message())
        if number % 50 == 0:  # else what is asked next is all that is ever answered
            settled(panel)
        demand_valid(panel)
        assert set(getattr(panel, "factors", ())) == set(getattr(panel, "parts", ()))
    good = {name: value for name, value in GOOD.items() if name in messages.front}
    from_page(settled(panel), **good)
    settled(panel)

    demand_valid(panel)
    assert panel._error == ""
    assert {name: panel.get_state(name)[name] for name in good} == good
    assert {name: getattr(panel, name) for name in fixed} == fixed
    assert torch.equal(logits(garage), bare)
    assert hooks_on(garage.model) == hooks
    assert {path.name for path in tmp_path.iterdir()} <= {"a.json"}
    panel.close()
    for thread in at_work():
        thread.join(ENOUGH)
    assert at_work() == []


@pytest.mark.parametrize("how", ["answered", "failed", "stopped"])
@pytest.mark.parametrize("name", NAMED)
def test_no_widget_keeps_its_model_in_memory(name: str, how: str) -> None:
    garage = Garage("showroom")
    widget, gone = opened(name, garage), weakref.ref(garage.model)
    prompted = [panel for panel in panels_of(widget) if panel.has_trait("prompt")]
    for panel in prompted:
        if how == "failed":
            from_page(panel, prompt="word " * 400)
            asked(panel, {"kind": "again"})
            assert settled(panel).last_error
        if how == "stopped":
            from_page(panel, prompt="Once upon a time")
            asked(panel, {"kind": "stop"})
            settled(panel)

    del garage
    gc.collect()

    assert gone() is None
    for panel in prompted:
        from_page(panel, prompt="Once more")
        assert settled(panel)._error.startswith("The garage of this panel is gone.")
    widget.close()


@pytest.mark.parametrize("name", NAMED)
def test_one_of_a_kind_lives_for_a_garage_whatever_model_is_on_its_lift(name: str, garage: Garage) -> None:
    first = opened(name, garage)
    second = opened(name, garage)
    garage.load(tiny("gpt2"), tokenizer=garage.tokenizer)

    third = opened(name, garage)

    assert [one.comm is None for one in (first, second, third)] == [True, True, False]
    assert all(panel.comm is None for one in (first, second) for panel in panels_of(one))
    third.close()


@pytest.mark.parametrize("name", NAMED)
def test_what_is_closed_hears_nothing_more(name: str, garage: Garage) -> None:
    widget = opened(name, garage)
    widget.close()

    garage.scale("layer_2", 0.5)
    settled(widget)

    assert [panel.comm for panel in panels_of(widget)] == [None] * len(panels_of(widget))
    assert [panel._error for panel in panels_of(widget)] == [""] * len(panels_of(widget))
    widget.close()


@pytest.mark.parametrize("name", NAMED)
def test_an_unknown_option_is_refused_by_name(name: str, garage: Garage) -> None:
    with pytest.raises(GarageError, match="no option 'colour'"):
        NAMED[name](garage, colour="red")

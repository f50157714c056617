"""The garage itself: what can be put on the lift, what is stopped, what is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.core.loader import embedded
from garage_nb.errors import CancelledError, GarageError, InputError
from garage_nb.garage import Garage
from garage_nb.registry.specs import ModelSpec
from garage_nb.widgets.picker import LayerPicker
from garage_nb.widgets.ping import Ping
from tests.engine.meeting import Meeting, done, in_thread
from tests.families import prompt, tiny
from tests.restored import hooks_on, left_as_it_was


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for the hub's cache; the constant is read each time a cache is scanned."""
    import huggingface_hub.constants as constants
    import huggingface_hub.utils._cache_manager as manager

    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(manager, "HF_HUB_CACHE", str(folder))
    return folder


def put_in(hub: Path, name: str, *files: str) -> None:
    """What a download leaves: blobs, a snapshot that links to them, and a reference."""
    repo = hub / f"models--{name.replace('/', '--')}"
    snapshot = repo / "snapshots" / ("0" * 40)
    for folder in (snapshot, repo / "blobs", repo / "refs"):
        folder.mkdir(parents=True)
    (repo / "refs" / "main").write_text("0" * 40)
    for number, file in enumerate(files):
        (repo / "blobs" / str(number)).write_bytes(b"0" * 1500)
        (snapshot / file).symlink_to(repo / "blobs" / str(number))


def test_the_embedded_models_are_listed_with_what_each_is(hub: Path) -> None:
    frame = Garage().models().frame()

    assert set(embedded()) <= set(frame.index)
    assert dict(frame.loc[list(embedded()), "about"]) == {name: entry["about"] for name, entry in embedded().items()}
    assert set(frame["where"]) <= {"showroom", "catalogue"}


def test_models_of_the_hubs_cache_are_listed_with_what_they_lack(hub: Path) -> None:
    put_in(hub, "someone/whole", "config.json", "model.safetensors")
    put_in(hub, "someone/pickled", "config.json", "pytorch_model.bin")
    put_in(hub, "someone/tokenizer", "tokenizer.json")

    frame = Garage().models().frame()

    assert set(frame.index[frame["where"] == "hub cache"]) == {"someone/whole", "someone/pickled", "someone/tokenizer"}
    assert frame.loc["someone/whole", "about"] == "3.0K on disk"
    assert "no safetensors" in frame.loc["someone/pickled", "about"]
    assert "no config.json" in frame.loc["someone/tokenizer", "about"]


def test_a_cache_that_is_a_file_or_damaged_is_no_error(hub: Path) -> None:
    hub.write_text("not a folder")
    assert "showroom" in Garage().models().frame().index

    hub.unlink()
    (hub / "models--half--made").mkdir(parents=True)
    assert "half/made" not in Garage().models().frame().index


def test_catalogued_models_are_listed_once(hub: Path) -> None:
    garage = Garage()
    garage.registry("add", "showroom")
    names = list(garage.models().frame().index)

    assert names.count("showroom") == 1


def test_the_spec_is_shown_and_travels_as_json() -> None:
    spec = Garage("showroom").spec

    assert ModelSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert "6 layers × 128 wide, 4 heads" in repr(spec)
    assert "6 of 6 blocks" in spec._repr_html_()
    assert list(spec.frame().index) == list(spec.parts)


def test_a_capture_in_another_thread_is_stopped() -> None:
    model, meeting = tiny("llama"), Meeting()
    garage = Garage(model)

    def wait(hidden: torch.Tensor) -> torch.Tensor:
        meeting.pause()
        return hidden

    garage.through("layer_0", wait)
    with left_as_it_was(model):
        running = in_thread(lambda: garage.capture(prompt()))
        stopped = meeting.meanwhile(garage.stop)
        with pytest.raises(CancelledError):
            done(running)

    assert stopped
    assert "asked to stop" in repr(stopped)
    assert hooks_on(model) == {}
    assert garage.verify().ok


def test_with_nothing_running_stop_says_so() -> None:
    garage = Garage(tiny("llama"))
    garage.capture([1, 2])

    assert not garage.stop()
    assert "nothing was running" in repr(garage.stop())
    with pytest.raises(GarageError, match="no model on the lift"):
        Garage().stop()


def test_show_gives_the_widget_itself() -> None:
    garage = Garage(tiny("llama"))
    garage.scale("layer_1", 0.5)

    picker: Any = garage.show()

    assert isinstance(picker, LayerPicker)
    assert picker.changed == ("layer_1",)
    assert isinstance(garage.show("ping"), Ping)


def test_a_widget_there_is_not_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no widget 'piker'.*\nNearest: picker"):
        Garage(tiny("llama")).show("piker")  # type: ignore[arg-type]

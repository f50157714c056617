"""What could not be saved in the end is refused before the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from garage_nb.errors import GarageError
from garage_nb.garage import Garage
from garage_nb.verbs import call
from garage_nb.words import words
from tests.inject.blades.making import bare

MODELS = ["slim", "slice", "build", "heal"]
OTHERS = ["specialise sorting", "measure_blade @blade", "fit_gate"]
UNWRITABLE = "/proc"


@pytest.fixture(scope="module")
def garage() -> Garage:
    return Garage("showroom-llama")


def refused(garage: Garage, line: str, folder: object) -> str:
    """Why, when the model did not run."""
    ran: list[int] = []
    handle = garage.model.register_forward_pre_hook(lambda *_: ran.append(1))
    try:
        with pytest.raises(GarageError) as caught:
            call(garage, words(f"{line} --to {folder}", {"blade": bare()}))
    finally:
        handle.remove()
    assert ran == []
    assert caught.value.hint
    return caught.value.what


@pytest.mark.parametrize("line", [*MODELS, *OTHERS])
def test_below_a_file_nothing_can_be_written(garage: Garage, line: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    assert "cannot be written: Not a directory" in refused(garage, line, tmp_path / "file" / "deep" / "place")

    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("line", MODELS)
def test_what_is_anothers_is_not_written_over(garage: Garage, line: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")

    assert "holds something that was not built here" in refused(garage, line, tmp_path)

    assert [one.name for one in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.skipif(not Path(UNWRITABLE).is_dir(), reason="nobody writes there, where it is")
@pytest.mark.parametrize("line", [*MODELS, *OTHERS, "diagnose"])
def test_nor_in_a_folder_that_takes_nothing(garage: Garage, line: str) -> None:
    name = "report.html" if line == "diagnose" else "place"

    assert "cannot be written" in refused(garage, line, f"{UNWRITABLE}/{name}")


def test_a_folder_that_is_not_there_yet_will_do(garage: Garage, tmp_path: Path) -> None:
    call(garage, words(f"build --to {tmp_path}/deep/place", {}))

    assert (tmp_path / "deep" / "place" / "config.json").is_file()
    assert [one.name for one in tmp_path.iterdir()] == ["deep"]

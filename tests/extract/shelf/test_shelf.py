"""A shelf lists what is on it, and says what is damaged and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from garage_nb.errors import PartFileError
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.extract.shelf.saving import save_part
from garage_nb.extract.shelf.shelf import shelf
from tests.families import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, extractor = tmp_path_factory.mktemp("parts"), PyTorchExtractor(tiny("llama", layers=11))
    for name in ("attention_10", "attention_2", "attention_9.head_1", "embedding"):
        save_part(extractor.extract_component(name), place)
    return place


def test_parts_are_listed_in_natural_order(folder: Path) -> None:
    found = shelf(folder)

    assert [one.file for one in found.parts] == [
        "attention_2.json", "attention_9.head_1.json", "attention_10.json", "embedding.json",
    ]  # fmt: skip
    assert len(found) == 4
    frame = found.frame()
    assert frame.loc["attention_9.head_1.json", "part"] == "attention_9.head_1"
    assert frame.loc["embedding.json", ["family", "from", "licence"]].tolist() == [
        "llama",
        "LlamaForCausalLM",
        "unknown",
    ]
    assert frame.loc["attention_2.json", "parameters"] == 3072
    assert "4 parts in" in repr(found)
    assert "32 → 32" in repr(found)


def test_damaged_ones_are_listed_with_the_reason(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tensors = next(tmp_path.glob("attention_2-*.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:-1])
    (tmp_path / "embedding.json").write_text("{")
    next(tmp_path.glob("attention_10-*.safetensors")).unlink()

    found = shelf(tmp_path)

    damage = {one.file: one.damage for one in found.parts}
    assert damage["attention_9.head_1.json"] == ""
    assert damage["attention_2.json"].startswith("This is no whole part file")
    assert damage["embedding.json"].startswith("This is no whole part file")
    assert "cannot be read: No such file" in damage["attention_10.json"]
    assert found.frame()["damage"].tolist() == list(damage.values())
    assert "✗ damaged" in repr(found)


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "notes.txt").write_text("mine")

    found = shelf(tmp_path)

    assert found.parts == ()
    assert repr(found).startswith("No parts in")


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(PartFileError, match="cannot be opened: No such file"):
        shelf(tmp_path / "nowhere")

"""Saved hybrids: plain folders of transformers, put in their place whole, and never in the place of somebody else's."""

from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from garage_nb.compose.assembly.hybrid import Hybrid
from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Merge, Stack, Swap
from garage_nb.compose.ref import Ref
from garage_nb.compose.written import sheet_from_json, sheet_to_json
from garage_nb.errors import BuildError
from garage_nb.registry.lift import lift
from tests.compose.bench import built, logits, pair, stacked
from tests.families import prompt, saved

_PLAIN = """
import json, sys
sys.modules["garage_nb"] = None
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
ids = torch.tensor(json.loads(sys.argv[2]))
found = {}
for folder in sys.argv[3:]:
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    with torch.no_grad():
        found[folder] = model(ids, use_cache=False).logits
save_file(found, sys.argv[1])
assert not any(name.startswith("garage_nb.") for name in sys.modules)
"""


def plainly(folders: list[Path], file: Path) -> dict[str, torch.Tensor]:
    """Logits of what plain transformers opens, in a process that cannot import the garage."""
    said = [sys.executable, "-c", _PLAIN, file, json.dumps(prompt().tolist()), *folders]
    subprocess.run(list(map(str, said)), check=True, capture_output=True, cwd=file.parent)
    return load_file(file)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def small() -> Hybrid:
    return built(pair("llama"), Stack.of("0 b[1]"))


def swapped() -> Hybrid:
    return built(pair("llama", tie_word_embeddings=True), Swap("embedding", Ref.of("b")))


def blended() -> Hybrid:
    return built(pair("gpt2"), Merge("ffn_*", (Ref.of("b"),), blend_of("--method slerp --t 0..1")))


def changed_since() -> Hybrid:
    """What is in memory is what is saved, wherever it came from."""
    hybrid = built(pair("llama"), Stack.of("0 0 b[1]"))
    with torch.no_grad():
        hybrid.model.model.layers[1].mlp.up_proj.weight.mul_(2)
    return hybrid


def of_a_hybrid(folder: Path) -> Hybrid:
    donors = {name: lift(saved("llama", folder / name)) for name in ("a", "b")}
    first = built(donors, Stack.of("0 b[1]")).save_pretrained(folder / "first")
    return built({"a": str(first), "b": donors["b"]}, Stack.of("1 b[0] 0"))


FAMILIES = [
    "gpt2", "llama", "mistral", "qwen2", "mixtral", "gemma2", "gemma3_text", "phi3", "bloom", "opt", "gpt_neo"
]  # fmt: skip
OTHERS = ["swapped", "blended", "changed since", "over an old one", "of a hybrid"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hybrids")


@pytest.fixture(scope="module")
def hybrids(home: Path, small: Hybrid) -> dict[str, Hybrid]:
    """Each saved under its name."""
    found = {family: stacked(family)[1] for family in FAMILIES}
    made = (
        swapped(),
        blended(),
        changed_since(),
        built(pair("llama"), Stack.of("b[3] 0 1")),
        of_a_hybrid(home / "parts"),
    )
    found |= dict(zip(OTHERS, made, strict=True))
    small.save_pretrained(home / "over an old one")
    for name, hybrid in found.items():
        hybrid.save_pretrained(home / name)
    return found


@pytest.fixture(scope="module")
def plain_logits(hybrids: dict[str, Hybrid], home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("logits") / "logits.safetensors"
    return plainly([home / name for name in hybrids], file)


@pytest.mark.parametrize("name", [*FAMILIES, *OTHERS])
def test_plain_transformers_opens_it_without_the_garage(
    name: str, hybrids: dict[str, Hybrid], plain_logits: dict[str, Any], home: Path
) -> None:
    assert torch.equal(plain_logits[str(home / name)], logits(hybrids[name].model))


def test_nothing_is_left_beside_them(hybrids: dict[str, Hybrid], home: Path) -> None:
    assert {path.name for path in home.iterdir()} == {*hybrids, "parts"}


def test_a_hybrid_of_a_hybrid_says_what_it_was_built_from(hybrids: dict[str, Hybrid], home: Path) -> None:
    place = home / "of a hybrid"

    sheet = json.loads((place / "config.json").read_text())["garage_build"]["sheet"]

    assert sheet["donors"]["a"] == str(home / "parts" / "first")
    assert len(hybrids["of a hybrid"].tokenizer("ab c")["input_ids"]) > 2
    assert (place / "tokenizer.json").read_bytes() == (home / "parts" / "first" / "tokenizer.json").read_bytes()


def test_what_is_in_the_folder(small: Hybrid, tmp_path: Path) -> None:
    place = small.save_pretrained(tmp_path / "deep" / "hybrid")

    there = files(place)
    record = json.loads(there["garage_build.json"])
    config = json.loads(there["config.json"])
    assert place == tmp_path / "deep" / "hybrid"
    assert set(there) == {
        "README.md",
        "config.json",
        "garage_build.json",
        "generation_config.json",
        "model.safetensors",
    }
    assert record["sha256"] == {
        name: hashlib.sha256(data).hexdigest() for name, data in there.items() if name != "garage_build.json"
    }
    assert config["garage_build"] == {name: value for name, value in record.items() if name != "sha256"}
    assert config["architectures"] == ["LlamaForCausalLM"]
    sheet = sheet_from_json(config["garage_build"]["sheet"])
    assert sheet.grafts == small.check.sheet.grafts
    assert sheet_to_json(sheet) == sheet_to_json(small.check.sheet)
    assert str(tmp_path) not in there["config.json"].decode()
    assert [path.name for path in place.parent.iterdir()] == ["hybrid"]


def test_a_donor_is_known_by_its_weights(tmp_path: Path) -> None:
    donors = pair("llama")
    first = built(donors, Stack.of("0 b[1]")).model.config.garage_build["donors"]
    with torch.no_grad():
        donors["b"].model.lm_head.weight[5, 7] += 1e-3
    second = built({**donors, "b": lift(donors["b"].model)}, Stack.of("0 b[1]")).model.config.garage_build["donors"]

    assert first["a"] == second["a"]
    assert first["b"]["weights"] != second["b"]["weights"]
    assert first["b"]["class"] == "LlamaForCausalLM"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_weights_come_back_as_they_were(tmp_path: Path, dtype: torch.dtype) -> None:
    models = [each.model.to(dtype) for each in pair("llama").values()]
    hybrid = built(dict(zip("ab", map(lift, models), strict=True)), Stack.of("0 b[1]"))

    place = hybrid.save_pretrained(tmp_path / "narrow")

    stored = load_file(place / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {dtype}
    assert torch.equal(stored["model.layers.1.mlp.up_proj.weight"], models[1].model.layers[1].mlp.up_proj.weight)


def test_an_empty_folder_is_free(small: Hybrid, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()

    assert "model.safetensors" in files(small.save_pretrained(tmp_path / "place"))


def foreign_notes(place: Path) -> None:
    (place / "notes.txt").write_text("mine")


def trained_on(place: Path) -> None:
    with open(place / "model.safetensors", "ab") as file:
        file.write(b" ")


def record_of_nothing(place: Path) -> None:
    (place / "garage_build.json").write_text("{}")


def record_that_is_none(place: Path) -> None:
    (place / "garage_build.json").write_text("\udcff", errors="surrogateescape")


@pytest.mark.parametrize("change", [foreign_notes, trained_on, record_of_nothing, record_that_is_none])
def test_what_was_not_built_here_is_not_written_over(small: Hybrid, tmp_path: Path, change: Any) -> None:
    place = small.save_pretrained(tmp_path / "place")
    change(place)
    before = files(place)

    with pytest.raises(BuildError, match="not built here") as caught:
        small.save_pretrained(place)

    assert str(caught.value).count("\n") == 1
    assert files(place) == before
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


@pytest.mark.parametrize("what", ["a file", "another model", "a link to nothing"])
def test_other_things_in_the_place(small: Hybrid, tmp_path: Path, what: str) -> None:
    place = tmp_path / "place"
    if what == "a file":
        place.write_text("mine")
    elif what == "another model":
        pair("gpt2")["a"].model.save_pretrained(place)
    else:
        (tmp_path / "place.txt").symlink_to(tmp_path / "nothing")
        place.mkdir()
        (place / "x").write_text("mine")
    before = place.read_bytes() if place.is_file() else files(place)

    with pytest.raises(BuildError, match="not built here"):
        small.save_pretrained(place)

    assert (place.read_bytes() if place.is_file() else files(place)) == before


def test_saving_changes_neither_model_nor_donors(tmp_path: Path) -> None:
    from tests.compose.layout.test_refusals import untouched

    donors, hybrid = stacked("gemma2")
    config = copy.deepcopy(hybrid.model.config.to_dict())

    with untouched(hybrid.model, *(donor.model for donor in donors.values())):
        hybrid.save_pretrained(tmp_path / "place")

    assert hybrid.model.config.to_dict() == config

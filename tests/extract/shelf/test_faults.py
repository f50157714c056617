"""Whatever happens to a part file, it is read whole or refused in words, and nothing is half made."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.core.sealed import canonical, digest
from garage_nb.errors import PartFileError
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.extract.shelf.loading import load_part
from garage_nb.extract.shelf.saving import save_part
from tests.families import tiny


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_part(PyTorchExtractor(tiny("llama")).extract_component("attention_1"), tmp_path_factory.mktemp("parts"))


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    """A part file of one's own to damage."""
    for path in whole.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / whole.name


def tensors_of(place: Path) -> Path:
    return next(place.parent.glob("*.safetensors"))


def resealed(place: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """As somebody would who knows how the checksum is made."""
    record = json.loads(place.read_bytes())
    change(record["part"])
    record["sha256"] = digest(canonical(record["part"]))
    place.write_text(json.dumps(record))


def files_beside(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.parent.iterdir() if path.is_file()}


def refused(place: Path, match: str = ".") -> None:
    before = files_beside(place)
    with pytest.raises(PartFileError, match=match) as error:
        load_part(place)
    assert error.value.hint
    assert files_beside(place) == before


@pytest.mark.parametrize("of", ["card", "tensors"])
@pytest.mark.parametrize("seed", range(8))
def test_any_byte_that_changed_is_found(of: str, seed: int, place: Path) -> None:
    rng, path = random.Random(seed), place if of == "card" else tensors_of(place)
    data = bytearray(path.read_bytes())
    spot = rng.randrange(len(data))
    while chr(data[spot]).isspace():
        spot = rng.randrange(len(data))
    data[spot] ^= 1 << rng.randrange(7)

    path.write_bytes(bytes(data))

    refused(place)


@pytest.mark.parametrize("of", ["card", "tensors"])
@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_any_cut_is_found(of: str, share: float, place: Path) -> None:
    path = place if of == "card" else tensors_of(place)
    data = path.read_bytes()

    path.write_bytes(data[: int(len(data) * share)])

    refused(place, "This is no whole part file")


def test_missing_files_are_said(place: Path) -> None:
    tensors_of(place).unlink()
    refused(place, r"safetensors cannot be read: No such file")
    place.unlink()
    with pytest.raises(PartFileError, match="cannot be read"):
        load_part(place)


def test_another_version_is_said(place: Path) -> None:
    record = json.loads(place.read_bytes())
    place.write_text(json.dumps({**record, "version": 2}))

    refused(place, "is a part of version 2; this one reads 1")


def test_tensors_of_another_part_are_refused(place: Path, tmp_path: Path) -> None:
    other = save_part(PyTorchExtractor(tiny("llama", seed=1)).extract_component("attention_1"), tmp_path / "other")
    tensors_of(place).write_bytes(tensors_of(other).read_bytes())

    refused(place, "This is no whole part file")


def put(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        for step in path[:-1]:
            body = body[step]
        body[path[-1]] = value

    return change


FORGED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "unknown field": (put("more", value=1), "what this version does not know"),
    "missing field": (lambda body: body.pop("licence"), "what this version does not know"),
    "unknown field of the part": (put("description", "hook", value=1), "what this version does not know"),
    "unknown field of the spec": (put("spec", "hook", value=1), "what this version does not know"),
    "wrong type": (put("description", "parameters", value="many"), "str where int was expected"),
    "unknown form": (put("description", "form", value="half"), "what this version does not know"),
    "unknown model type": (put("model_type", value="kazoo"), "transformers has no model type 'kazoo'"),
    "model type of another": (put("model_type", value="gpt2"), "transformers has no model type 'gpt2' such as"),
    "unknown class": (put("model_class", value="KazooForCausalLM"), "transformers has no KazooForCausalLM for llama"),
    "class of another": (put("model_class", value="GPT2LMHeadModel"), "has no GPT2LMHeadModel for llama"),
    "any name of transformers": (put("model_class", value="pipeline"), "transformers has no pipeline for llama"),
    "remote code": (put("config", "auto_map", value={"AutoModel": "evil.Model"}), "its config asks for auto_map"),
    "quantised": (put("config", "quantization_config", value={}), "its config asks for quantization_config"),
    "unknown setting": (put("config", "kazoo", value=1), "its config says kazoo, which llama does not know"),
    "other kernel": (put("attention", value="kernels-community/evil"), "its config asks for kernels-community/evil"),
    "other experts": (put("experts", value="evil"), "its config asks for"),
    "other sizes": (put("config", "hidden_size", value=64), "its tensors are not those of such a part"),
    "impossible sizes": (put("config", "num_attention_heads", value=0), "cannot be built"),
    "other shapes": (put("layout", "module.q_proj.weight", value=["float32", [1]]), "not those of its card"),
    "other dtypes": (put("layout", "module.q_proj.weight", value=["float16", [32, 32]]), "not those of its card"),
    "a tensor too many": (put("layout", "module.more", value=["float32", [1]]), "not those of its card"),
    "no such part": (put("description", "part", value="attention_2"), "cannot be built"),
    "no such module": (put("spec", "parts", "attention_1", "module_path", value="model.kazoo"), "cannot be built"),
    "no such head": (put("description", "units", value={"kind": "head", "indices": [99]}), "cannot be built"),
    "no such unit": (put("description", "units", value={"kind": "valve", "indices": [1]}), "its units are none"),
    "tensors elsewhere": (put("tensors", "file", value="../../secret.safetensors"), "This is no whole part file"),
    "tensors nowhere": (put("tensors", value=None), "not those of its card"),
    "no tensors field": (lambda body: body.pop("tensors"), "not those of its card"),
}  # fmt: skip


@pytest.mark.parametrize("how", FORGED)
def test_a_card_that_was_forged_is_refused_whatever_its_checksum(how: str, place: Path) -> None:
    change, message = FORGED[how]

    resealed(place, change)

    refused(place, message)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"part"', '{"format": "garage_nb part"}', "[" * 5000])
def test_what_is_no_card_is_refused(text: str, tmp_path: Path) -> None:
    place = tmp_path / "part.json"
    place.write_text(text)

    refused(place, "This is no whole part file")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    part = PyTorchExtractor(tiny("gpt2")).extract_component("ffn_1")

    with pytest.raises(PartFileError, match="The part cannot be written"):
        save_part(part, tmp_path / "file" / "part.json")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


KILLED = """
import os, signal, sys
from pathlib import Path
from garage_nb.core import files
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.extract.shelf.saving import save_part
from tests.families import tiny
part = PyTorchExtractor(tiny("llama", seed=1)).extract_component("attention_1")
whole, left = os.replace, [int(sys.argv[2])]
def replace(*args):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    whole(*args)
files.os.replace = replace
save_part(part, Path(sys.argv[1]))
"""


@pytest.mark.parametrize("renamed", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_killed_while_saving_it_leaves_the_old_part_whole(renamed: int, place: Path) -> None:
    """Before the tensors are in place, and between them and the card."""
    before = load_part(place).state_dict()

    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(place), str(renamed)], cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, check=False,
    )  # fmt: skip

    assert done.returncode == -signal.SIGKILL, done.stderr
    after = load_part(place).state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())

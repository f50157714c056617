"""A model that is partly on disk gives the answers of the same model whole in memory, or refuses in two lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from garage_nb.errors import BuildError, EngineError, InputError
from garage_nb.garage import Garage
from tests.families import HIDDEN, saved

FAMILIES = ["gpt2", "llama", "mixtral"]
PROMPT, TEXTS = "hello abc 12", ["abc de fg", "hello world 12"]
BLOCKS = {"gpt2": "transformer.h.{}", "llama": "model.layers.{}", "mixtral": "model.layers.{}"}
ENDS = {"gpt2": ["transformer.wte", "transformer.wpe", "transformer.ln_f"]}
LAST = {"gpt2": "transformer.h.1.mlp.c_proj.weight"}
Pair = tuple[Garage, Garage]


def on_disk(family: str) -> dict[str, str]:
    """The middle block there, all else on the host."""
    ends = ENDS.get(family, ["model.embed_tokens", "model.norm", "model.rotary_emb"])
    return {**dict.fromkeys([*ends, "lm_head"], "cpu"), **_blocks(family, "cpu", "disk", "cpu")}


def _blocks(family: str, *places: str) -> dict[str, str]:
    return {BLOCKS[family].format(number): place for number, place in enumerate(places)}


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request: Any, tmp_path_factory: Any) -> Pair:
    """Whole, and offloaded."""
    folder = saved(request.param, tmp_path_factory.mktemp(request.param))
    return Garage(folder, device="cpu"), Garage(folder, device_map=on_disk(request.param))


def alike(a: Any, b: Any) -> None:
    pd.testing.assert_frame_equal(a.frame(), b.frame(), rtol=1e-4, atol=1e-5)


ASKED: dict[str, Callable[[Garage], Any]] = {
    "capture": lambda g: g.capture(PROMPT, layers="layer_*,attention_*,layer_norm_*"),
    "attention": lambda g: g.attention(PROMPT),
    "lens": lambda g: g.lens(PROMPT),
    "scan": lambda g: g.scan(TEXTS),
    "generate": lambda g: g.generate(PROMPT, tokens=4),
    "weights": lambda g: g.weights(),
    "attribution": lambda g: g.attribution(PROMPT),
    "heads": lambda g: g.attribution(PROMPT, by="heads"),
    "ablation": lambda g: g.ablation(TEXTS, target="a", metric="probability"),
    "sweep": lambda g: g.sweep(PROMPT),
    "similarity": lambda g: g.similarity(PROMPT),
    "survey": lambda g: g.survey(TEXTS, stats="norm,loss", sweep="ffn_1", on="here"),
}


@pytest.mark.parametrize("verb", ASKED)
def test_answers_are_those_of_the_model_in_memory(pair: Pair, verb: str) -> None:
    whole, spread = pair
    away = [name for name, weight in spread.model.named_parameters() if weight.is_meta]
    assert away

    alike(ASKED[verb](whole), ASKED[verb](spread))

    assert [name for name, weight in spread.model.named_parameters() if weight.is_meta] == away


EDITS: dict[str, Callable[[Garage], Any]] = {
    "scale": lambda g: g.scale("layer_1", 0.5),
    "noise": lambda g: g.noise("attention_1", 0.3),
    "head": lambda g: g.ablate("attention_1.head_1"),
    "steer": lambda g: g.steer("layer_1", torch.linspace(-1, 1, HIDDEN), 2.0),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_at_what_is_on_disk(pair: Pair, edit: str) -> None:
    for garage in pair:
        garage.reset()
        EDITS[edit](garage)
    whole, spread = pair

    alike(whole.capture(PROMPT), spread.capture(PROMPT))
    assert whole.generate(PROMPT, tokens=3).text == spread.generate(PROMPT, tokens=3).text
    for garage in pair:
        garage.reset()


def test_neurons_and_what_they_add(tmp_path: Path) -> None:
    folder = saved("llama", tmp_path)
    whole, spread = Garage(folder, device="cpu"), Garage(folder, device_map=on_disk("llama"))

    alike(whole.capture(PROMPT, layers="ffn_*.neurons"), spread.capture(PROMPT, layers="ffn_*.neurons"))
    alike(whole.attribution(PROMPT, by="neurons"), spread.attribution(PROMPT, by="neurons"))
    spread.ablate("ffn_1.neuron_3")
    whole.ablate("ffn_1.neuron_3")
    alike(whole.capture(PROMPT), spread.capture(PROMPT))


def test_what_needs_every_weight_in_memory_is_refused(pair: Pair) -> None:
    with pytest.raises(BuildError, match="not in memory"):
        pair[1].build()
    with pytest.raises(EngineError, match="workers open a model whole") as refused:
        pair[1].survey(TEXTS, on="pool:1")
    assert "--on here" in refused.value.hint


def test_verify_and_the_fingerprint_read_what_is_on_disk(tmp_path: Path) -> None:
    folder = saved("llama", tmp_path)
    whole, spread = Garage(folder, device="cpu"), Garage(folder, device_map=on_disk("llama"))
    assert spread.lifted.baseline.at_rest.digest == whole.lifted.baseline.at_rest.digest
    assert spread.verify().ok
    assert spread.verify().compared["weights"] == whole.verify().compared["weights"]
    file = tmp_path / "model.safetensors"
    place = _place_of(file, "model.layers.1.mlp.up_proj.weight")

    with open(file, "r+b") as opened:
        opened.seek(place)
        opened.write(b"\x01\x02\x03")

    found = spread.verify()
    assert not found.ok
    assert "model.layers.1.mlp.up_proj.weight" in found.findings["weights"]


def test_weights_that_nobody_brings_are_told_as_not_compared() -> None:
    from garage_nb.core.fingerprint import AtRest
    from tests.families import tiny

    model = tiny("llama")
    model.model.layers[1].mlp.to("meta")

    assert "3 out of reach, which nothing was compared of" in AtRest.of(model).compared()["weights"]


def test_a_temporary_place_is_gone_with_the_model(tmp_path: Path, monkeypatch: Any) -> None:
    import gc
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    garage = Garage(saved("mixtral", tmp_path / "model"), device_map=on_disk("mixtral"))
    assert len([*(tmp_path / "temporary").rglob("*.safetensors")]) == 2

    garage.load("showroom")
    gc.collect()

    assert not [*(tmp_path / "temporary").iterdir()]


def test_a_named_place_stays(tmp_path: Path) -> None:
    folder, place = saved("mixtral", tmp_path / "model"), tmp_path / "place"

    Garage().load(folder, device_map=on_disk("mixtral"), offload_folder=str(place))

    assert len([*place.iterdir()]) == 2


def test_status_says_where_the_weights_are(pair: Pair) -> None:
    assert pair[1].lifted.info["device"] == "cpu, disk"


@pytest.mark.parametrize("where", ["nowhere", {"": "nowhere"}, "disk"])
def test_a_map_to_places_that_are_not_there(where: Any) -> None:
    with pytest.raises(InputError, match="is no place to put weights"):
        Garage("showroom", device_map=where)


@pytest.mark.parametrize(
    ("where", "said"), [({"transformer.h.77": "cpu"}, r"transformer\.h\.77.*not in the model"), ({}, "map is empty")]
)
def test_a_map_that_does_not_fit(where: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Garage("showroom", device_map=where)


def _place_of(file: Path, name: str) -> int:
    """The first byte of a tensor in a safetensors file."""
    import json

    raw = file.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    start: int = json.loads(raw[8 : 8 + length])[name]["data_offsets"][0]
    return 8 + length + start

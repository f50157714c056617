"""Loading: a folder, a live model, and every way in which there is nothing to load. No network, no foreign code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import nn
from transformers import PreTrainedTokenizerFast

from garage_nb.core.batch import prepare
from garage_nb.core.loader import ModelLoader, embedded, quick_load
from garage_nb.errors import GarageError, InputError, ModelNotFoundError
from tests.families import tiny
from tests.restored import left_as_it_was, logits_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What save_pretrained writes for a model and its tokenizer."""
    tiny("llama", layers=1).save_pretrained(tmp_path)
    words().save_pretrained(tmp_path)
    return tmp_path


def words() -> PreTrainedTokenizerFast:
    known = Tokenizer(WordLevel({"<unk>": 0, "hello": 1}, unk_token="<unk>"))
    return PreTrainedTokenizerFast(tokenizer_object=known, unk_token="<unk>")


def test_a_folder(folder: Path) -> None:
    model, tokenizer, info = ModelLoader(device="cpu").load(folder)

    assert torch.equal(logits_of(model), logits_of(tiny("llama", layers=1)))
    assert tokenizer("hello")["input_ids"] == [1]
    expected = {"model_id": str(folder), "family": "llama", "num_layers": 1, "hidden_dim": 32, "device": "cpu"}
    assert {key: info[key] for key in expected} == expected
    assert info["total_params"] == sum(parameter.numel() for parameter in model.parameters())
    assert info["dtype"] == "float32"
    assert not model.training


def test_quick_load_is_the_same_in_one_call(folder: Path) -> None:
    model, tokenizer, info = quick_load(str(folder), device="cpu", dtype="bfloat16")

    assert model.dtype == torch.bfloat16
    assert info["dtype"] == "bfloat16"
    assert tokenizer is not None


def test_a_live_model_is_taken_as_it_is(gpt2: Any) -> None:
    mine = words()

    with left_as_it_was(gpt2):
        model, tokenizer, info = quick_load(gpt2, tokenizer=mine)

    assert model is gpt2
    assert tokenizer is mine
    assert (info["family"], info["num_layers"], info["hidden_dim"]) == ("gpt2", 3, 32)


@pytest.mark.parametrize(("stored", "loaded"), [("float16", torch.float32), ("bfloat16", torch.bfloat16)])
def test_dtype_on_a_cpu(tmp_path: Path, stored: str, loaded: torch.dtype) -> None:
    tiny("gpt2", layers=1).to(getattr(torch, stored)).save_pretrained(tmp_path)

    assert quick_load(tmp_path, device="cpu")[0].dtype == loaded
    assert quick_load(tmp_path, device="cpu", dtype="float16")[0].dtype == torch.float16


@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_a_folder_without_a_tokenizer_loads_for_ids(tmp_path: Path, model_type: str) -> None:
    tiny(model_type, layers=1).save_pretrained(tmp_path)

    model, tokenizer, _ = quick_load(tmp_path, device="cpu")

    assert tokenizer is None
    with pytest.raises(InputError, match="no tokenizer"):
        prepare("hello", model, tokenizer)


def refused(source: Any, error: type[GarageError], message: str, **options: Any) -> str:
    with pytest.raises(error, match=message) as caught:
        quick_load(source, **{"device": "cpu", **options})
    assert str(caught.value).count("\n") == 1, str(caught.value)
    return caught.value.hint


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere", "~/nowhere/at/all", "a/b/c", "", "  "])
def test_a_folder_that_is_not_there(name: str) -> None:
    refused(name, ModelNotFoundError, "There is no folder")


@pytest.mark.parametrize("name", ["gpt2", "no/such", "x" * 300, "a\0b", "evil\nname", "a b", "\ud800"])
def test_a_hub_id_out_of_reach_names_what_works_offline(name: str) -> None:
    hint = refused(name, ModelNotFoundError, "could not be loaded")

    assert all(known in hint for known in embedded())


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    refused(tmp_path, ModelNotFoundError, "no config.json")


def test_weights_that_are_missing(folder: Path) -> None:
    (folder / "model.safetensors").unlink()

    refused(folder, ModelNotFoundError, "model.safetensors")


def test_pickled_weights_are_not_read(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

    refused(folder, ModelNotFoundError, "could not be loaded")


@pytest.mark.parametrize("cut", [0, 5, 100, 5000])
def test_weights_that_are_cut_off(folder: Path, cut: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:cut])

    refused(folder, InputError, "damaged")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model_type": "llama", "hidden_size": "wide"}'])
def test_a_config_that_is_damaged(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)

    with pytest.raises(GarageError) as caught:
        quick_load(folder, device="cpu")

    assert str(caught.value).count("\n") == 1


def test_a_config_of_another_size(folder: Path) -> None:
    _rewrite(folder, hidden_size=64)

    refused(folder, InputError, "do not fit")


def test_a_kind_of_model_nobody_knows(folder: Path) -> None:
    _rewrite(folder, model_type="carburettor")

    refused(folder, InputError, "cannot be opened")


@pytest.mark.parametrize("model_type", ["llama", "carburettor"])
def test_code_that_comes_with_a_model_never_runs(folder: Path, model_type: str) -> None:
    ran = folder / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    _rewrite(folder, model_type=model_type, auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"})

    if model_type == "llama":
        assert quick_load(folder, device="cpu")[2]["family"] == "llama"
    else:
        refused(folder, InputError, "cannot be opened")

    assert not ran.exists()


def _rewrite(folder: Path, **changes: Any) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"dtype": "float31"}, "no dtype"), ({"dtype": "nn"}, "no dtype"), ({"device": "banana"}, "no device"),
     ({"device": "cuda:99"}, "no device")],
)  # fmt: skip
def test_options_that_make_no_sense(options: dict[str, str], message: str) -> None:
    refused("anything", InputError, message, **options)


def test_a_module_without_a_config_is_taken_as_it_is() -> None:
    module = nn.Linear(2, 2)

    model, tokenizer, info = ModelLoader().load(module)

    assert model is module
    assert tokenizer is None
    assert (info["model_id"], info["model_type"], info["total_params"]) == ("live model", "", 6)

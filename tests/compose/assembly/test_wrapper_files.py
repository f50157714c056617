"""Hybrids with guests as folders: plain transformers refuses them, the garage opens them, damage is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.compose.assembly.build import build
from garage_nb.compose.assembly.hybrid import Hybrid
from garage_nb.compose.assembly.wrapper_files import is_wrapper, read_wrapper
from garage_nb.compose.graft import Stack, Swap
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.stitching.stitched import guests
from garage_nb.errors import BuildError
from garage_nb.registry.lift import lift
from tests.compose.assembly.test_saving import files
from tests.compose.assembly.test_wrapping import CASES, made
from tests.compose.bench import logits, model
from tests.compose.layout.test_refusals import untouched
from tests.compose.stitching.by_hand import guest, of_two

SAVED = [
    "gpt2's attention in llama", "llama's layer in gpt2", "mixtral's ffn in llama", "phi's layer in gemma",
    "llama's layer in bloom", "gemma's sliding attention in llama",
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of two guests."""
    donors = {**of_two("llama", guest("gpt2")), "c": lift(guest("mixtral"))}
    grafts = (Stack.of("0 1 1 2"), Swap("ffn_0", Ref("b", "ffn_1"), "untrained"), Swap("ffn_2", Ref("c"), "untrained"))
    return build(BuildSheet("a", donors, grafts)).save_pretrained(tmp_path_factory.mktemp("wrappers") / "two")


@pytest.mark.parametrize("case", SAVED)
def test_the_garage_opens_it_with_the_same_bits(case: str, tmp_path: Path) -> None:
    donors, hybrid = made(case)

    with untouched(hybrid.model, *(donor.model for donor in donors.values())):
        again = read_wrapper(hybrid.save_pretrained(tmp_path / "hybrid"))

    assert torch.equal(logits(again), logits(hybrid.model))
    assert type(again) is type(hybrid.model)
    assert list(guests(again)) == list(guests(hybrid.model))
    assert not again.training
    assert not again.config.use_cache
    before, after = hybrid.model.state_dict(), again.state_dict()
    assert {name: tensor.dtype for name, tensor in before.items()} == {name: t.dtype for name, t in after.items()}
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert [path.name for path in tmp_path.iterdir()] == ["hybrid"]


@pytest.mark.parametrize("case", SAVED[:2])
def test_plain_transformers_refuses_it_by_its_model_type(case: str, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    place = made(case)[1].save_pretrained(tmp_path / "hybrid")

    for opens in (AutoConfig, AutoModelForCausalLM):
        with pytest.raises(ValueError, match="garage_hybrid"):
            opens.from_pretrained(place, local_files_only=True)


def test_what_is_in_the_folder(home: Path) -> None:
    said = json.loads((home / "config.json").read_text())

    assert is_wrapper(home)
    assert not is_wrapper(home / "host")
    assert {name for name in files(home) if not name.startswith("guests/")} == {
        "README.md", "adapters.safetensors", "config.json", "garage_build.json", "generation_config.json",
        "host.safetensors", "host/config.json",
    }  # fmt: skip
    assert said["garage_build"]["lines"] == [
        "stack 0 1 1 2", "swap ffn_0 b[ffn_1] --adapter untrained", "swap ffn_2 c --adapter untrained"
    ]  # fmt: skip
    assert said["guests"]["model.layers.0.mlp"] == {"items": 0, "stream": False}
    assert str(home.parent) not in (home / "config.json").read_text()


def test_saved_over_itself_and_not_over_others(tmp_path: Path) -> None:
    place = made(SAVED[0])[1].save_pretrained(tmp_path / "hybrid")
    hybrid: Hybrid = made(SAVED[1])[1]

    hybrid.save_pretrained(place)
    assert torch.equal(logits(read_wrapper(place)), logits(hybrid.model))

    (place / "guests" / "mine.txt").write_text("mine")
    before = files(place)
    with pytest.raises(BuildError, match="not built here"):
        hybrid.save_pretrained(place)
    assert files(place) == before


def gone(name: str) -> Callable[[Path], None]:
    return lambda place: (place / name).unlink()


def cut_short(name: str) -> Callable[[Path], None]:
    def cut(place: Path) -> None:
        data = (place / name).read_bytes()
        (place / name).write_bytes(data[: len(data) // 2])

    return cut


def one_bit(name: str) -> Callable[[Path], None]:
    """In the last byte: of a tensor's, safetensors itself would not see it."""

    def flip(place: Path) -> None:
        data = bytearray((place / name).read_bytes())
        data[-1] ^= 1
        (place / name).write_bytes(data)

    return flip


def said(*keys: str, value: Any) -> Callable[[Path], None]:
    def change(place: Path) -> None:
        whole = json.loads((place / "config.json").read_text())
        inner = whole
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        (place / "config.json").write_text(json.dumps(whole))

    return change


def guests_changed_places(place: Path) -> None:
    first, second = (place / "guests" / f"{number}.json" for number in (0, 1))
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)


def tensors_of_the_guest() -> Callable[[Path], None]:
    def flip(place: Path) -> None:
        one_bit(f"guests/{next((place / 'guests').glob('0-*.safetensors')).name}")(place)

    return flip


FILES = ["config.json", "host/config.json", "host.safetensors", "adapters.safetensors", "guests/0.json"]
DAMAGE: dict[str, Callable[[Path], None]] = {
    **{f"{name} is gone": gone(name) for name in FILES},
    **{f"{name} is cut short": cut_short(name) for name in FILES},
    **{f"a bit of {name}": one_bit(name) for name in FILES},
    "a bit of a guest": tensors_of_the_guest(),
    "guests that changed places": guests_changed_places,
    "another class": said("class", value="GPT2LMHeadModel"),
    "no class of transformers": said("class", value="os.system"),
    "another kernel": said("attention", value="https://example.org/kernel"),
    "another manner": said("guests", "model.layers.0.mlp", "stream", value=True),
    "another place": said("guests", value={"model.layers.9.mlp": {"items": 0, "stream": False}}),
    "a list of guests": said("guests", value=["model.layers.0.mlp"]),
    "more than is known": said("auto_map", value={"AutoModel": "evil.Model"}),
    "no checksums": said("sha256", value={}),
    "a checksum that is none": said("sha256", value=None),
    "no JSON": lambda place: (place / "config.json").write_text("\x00"),
    "a list": lambda place: (place / "config.json").write_text("[]"),
}


def resealed(change: Callable[[Path], None]) -> Callable[[Path], None]:
    """By somebody who knows how checksums are made."""

    def seal(place: Path) -> None:
        change(place)
        about = json.loads((place / "config.json").read_text())
        sums = about.pop("sha256")
        sums["config.json"] = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        (place / "config.json").write_text(json.dumps({**about, "sha256": sums}))

    return seal


DAMAGE |= {f"{name}, sealed again": resealed(DAMAGE[name]) for name in (
    "no class of transformers", "another kernel", "another place", "a list of guests"
)}  # fmt: skip


@pytest.fixture
def copy_of(home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(home, tmp_path / "copy"))


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused_in_two_lines(damage: str, copy_of: Path) -> None:
    DAMAGE[damage](copy_of)
    before, random = files(copy_of), torch.get_rng_state()

    with pytest.raises(BuildError, match="holds no whole hybrid") as caught:
        read_wrapper(copy_of)

    assert str(caught.value).count("\n") == 1
    assert files(copy_of) == before
    assert torch.equal(torch.get_rng_state(), random)


def test_undamaged_it_opens_wherever_it_lies(copy_of: Path, home: Path) -> None:
    assert torch.equal(logits(read_wrapper(copy_of)), logits(read_wrapper(home)))


def test_tied_weights_are_stored_once_and_tied_again(tmp_path: Path) -> None:
    donors = {"a": lift(model("gemma2", tie_word_embeddings=True)), "b": lift(guest("gpt2"))}

    hybrid = build(BuildSheet("a", donors, (Swap("ffn_1", Ref("b"), "untrained"),)))

    again = read_wrapper(hybrid.save_pretrained(tmp_path / "tied"))
    assert again.lm_head.weight is again.model.embed_tokens.weight
    assert torch.equal(logits(again), logits(hybrid.model))


def test_in_bfloat16(tmp_path: Path) -> None:
    donors = {"a": lift(model("llama").bfloat16()), "b": lift(guest("gpt2").bfloat16())}
    hybrid = build(BuildSheet("a", donors, (Swap("layer_1", Ref("b"), "untrained"),)))

    again = read_wrapper(hybrid.save_pretrained(tmp_path / "narrow"))

    assert {weight.dtype for weight in again.parameters()} == {torch.bfloat16}
    assert torch.equal(logits(again), logits(hybrid.model))


def test_with_eager_attention_in_the_host(tmp_path: Path) -> None:
    host = model("llama")
    host.set_attn_implementation("eager")
    hybrid = build(
        BuildSheet("a", {"a": lift(host), "b": lift(guest("gpt2"))}, (Swap("ffn_1", Ref("b"), "untrained"),))
    )

    again = read_wrapper(hybrid.save_pretrained(tmp_path / "eager"))

    assert again.config._attn_implementation == "eager"
    assert torch.equal(logits(again), logits(hybrid.model))


def test_every_case_is_one_of_those_that_were_built() -> None:
    assert set(SAVED) <= set(CASES)

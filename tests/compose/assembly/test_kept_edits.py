"""Edits that no weight holds are kept beside a saved hybrid, and are in force again where it is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.compose.assembly.build import build
from garage_nb.compose.assembly.hybrid import Hybrid
from garage_nb.compose.graft import Stack, Swap
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.sheet_files import open_sheet
from garage_nb.core.sealed import canonical, digest, digest_of
from garage_nb.core.tokens import Tokens
from garage_nb.errors import BuildError
from garage_nb.garage import Garage
from garage_nb.inject.edit import Edit
from garage_nb.inject.edits import Noise, Scale, Steer
from garage_nb.inject.patch import Patch
from garage_nb.inject.sae import Sae
from garage_nb.registry.lift import lift
from tests.compose.assembly.test_saving import files
from tests.compose.bench import logits, pair
from tests.compose.folding.test_folding import close, in_force
from tests.compose.stitching.by_hand import guest, of_two
from tests.families import HIDDEN

FILE = "garage_edits.json"
DRAWN = torch.Generator().manual_seed(0)
LINE = torch.linspace(-1, 1, HIDDEN)
SAE = Sae("layer_1", torch.randn(HIDDEN, 6, generator=DRAWN), torch.randn(6, generator=DRAWN),
          torch.randn(6, HIDDEN, generator=DRAWN), LINE, features={2: 3.0})  # fmt: skip
PATCH = Patch("ffn_0", torch.stack([LINE, -LINE]), tokens=Tokens("1,2"))
FOLDED: tuple[Edit, ...] = (Scale("ffn_1", 0.5), Steer("attention_0", LINE))
STAY: tuple[Edit, ...] = (SAE, PATCH, Steer("layer_1", LINE, 0.3, tokens=Tokens("-1")), Noise("ffn_1", 0.1, seed=7))


def plain() -> Hybrid:
    return build(BuildSheet("a", pair("gpt2"), (Stack.of("0 b[1] 1"),), edits=(*FOLDED, *STAY)))


def with_a_guest() -> Hybrid:
    grafts = (Swap("attention_2", Ref("b"), "untrained"),)
    return build(BuildSheet("a", of_two("gpt2", guest("llama")), grafts, edits=(*FOLDED, *STAY)))


@pytest.fixture(scope="module", params=[plain, with_a_guest])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Hybrid, Path]:
    """Nobody changes the folder."""
    hybrid = request.param()
    return hybrid, hybrid.save_pretrained(tmp_path_factory.mktemp("kept") / "hybrid")


def test_they_are_in_force_where_the_folder_is_loaded(saved: tuple[Hybrid, Path]) -> None:
    hybrid, place = saved
    garage = Garage().load(str(place))

    assert garage.edits.edits == STAY == hybrid.edits.edits
    found = in_force(garage.lifted, *garage.edits)
    assert torch.equal(found, in_force(lift(hybrid.model), *hybrid.edits))
    assert not close(found, logits(hybrid.model))


def test_the_sheet_of_the_folder_has_all_of_them(saved: tuple[Hybrid, Path]) -> None:
    hybrid, place = saved

    assert open_sheet(place).edits == hybrid.check.sheet.edits == (*FOLDED, *STAY)


def test_the_record_has_their_checksums(saved: tuple[Hybrid, Path]) -> None:
    _, place = saved
    (tensors,) = place.glob("garage_edits-*.safetensors")

    sums = json.loads((place / "garage_build.json").read_text())["sha256"]

    assert sums[FILE] == digest_of(place / FILE)
    assert sums[tensors.name] == digest_of(tensors)


def test_the_card_says_which_and_how_to_get_them(saved: tuple[Hybrid, Path]) -> None:
    card = (saved[1] / "README.md").read_text(encoding="utf-8")

    _, _, behind = card.partition("4 are not in the weights:")
    block, _, rest = behind.removeprefix("\n\n```\n").partition("\n```\n")
    assert block.splitlines() == list(map(str, STAY))
    assert "`garage_edits.json`" in rest
    assert "`Garage().load`" in rest
    assert "runs the model without them" in rest


def test_plain_transformers_opens_the_weights_alone(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    hybrid = plain()
    place = hybrid.save_pretrained(tmp_path / "hybrid")

    again = AutoModelForCausalLM.from_pretrained(place, local_files_only=True).eval()

    assert torch.equal(logits(again), logits(hybrid.model))


def test_what_weights_and_config_say_by_themselves_needs_no_file(tmp_path: Path) -> None:
    """And of a hybrid that was there before nothing stays."""
    place = tmp_path / "hybrid"
    plain().save_pretrained(place)
    assert (place / FILE).exists()

    build(BuildSheet("a", pair("gpt2"), edits=FOLDED[:1])).save_pretrained(place)

    assert not list(place.glob("garage_edits*"))
    assert "not in the weights" not in (place / "README.md").read_text(encoding="utf-8")
    assert open_sheet(place).edits == FOLDED[:1]
    assert len(Garage().load(str(place)).edits) == 0


def tensors_gone(place: Path) -> None:
    next(place.glob("garage_edits-*.safetensors")).unlink()


def a_bit_of_the_tensors(place: Path) -> None:
    file = next(place.glob("garage_edits-*.safetensors"))
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def cut_short(place: Path) -> None:
    (place / FILE).write_bytes((place / FILE).read_bytes()[:-20])


def another_word(place: Path) -> None:
    (place / FILE).write_text((place / FILE).read_text().replace("layer_1", "layer_0"))


def another_version(place: Path) -> None:
    (place / FILE).write_text(json.dumps({**json.loads((place / FILE).read_text()), "version": 99}))


def resealed(**changes: Any) -> Callable[[Path], None]:
    """By somebody who knows how checksums are made."""

    def change(place: Path) -> None:
        said = json.loads((place / FILE).read_text())
        said["edits"] |= changes
        (place / FILE).write_text(json.dumps({**said, "sha256": digest(canonical(said["edits"]))}))

    return change


DAMAGE: dict[str, Callable[[Path], None]] = {
    "tensors gone": tensors_gone,
    "a bit of the tensors": a_bit_of_the_tensors,
    "cut short": cut_short,
    "another word": another_word,
    "another version": another_version,
    "no edits": resealed(edits=None),
    "no edit": resealed(edits=[{"edit": "os.system", "at": "true"}]),
    "no tensors": resealed(tensors=None),
    "more in the weights than there are": resealed(folded=9),
    "a text for a number": resealed(folded="2"),
    "true for a number": resealed(folded=True),
    "below zero": resealed(folded=-1),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files(plain().save_pretrained(tmp_path_factory.mktemp("whole") / "hybrid"))


@pytest.mark.parametrize("opens", [open_sheet, lambda place: Garage().load(str(place))], ids=["sheet", "load"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused_in_two_lines(
    damage: str, opens: Callable[[Path], Any], whole: dict[str, bytes], tmp_path: Path
) -> None:
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    DAMAGE[damage](tmp_path)
    before = files(tmp_path)

    with pytest.raises(BuildError) as caught:
        opens(tmp_path)

    assert FILE in caught.value.what
    assert str(caught.value).count("\n") == 1
    assert files(tmp_path) == before


def test_a_tensor_that_is_learned_is_kept_as_it_is_now(tmp_path: Path) -> None:
    learned: Tensor = LINE.clone().requires_grad_(True)
    edit = Steer("layer_1", learned)

    place = build(BuildSheet("a", {"a": pair("llama")["a"]}, edits=(edit,))).save_pretrained(tmp_path / "hybrid")

    (kept,) = Garage().load(str(place)).edits
    assert kept == edit
    assert learned.requires_grad

"""The verbs that change a model: what they put in force is the edit they say, said back in their own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.errors import EditError, GarageError, InputError, UnknownPartError
from garage_nb.garage import Garage
from garage_nb.inject.ablate import Ablate
from garage_nb.inject.edit import Edit
from garage_nb.inject.edits import Add, Noise, Scale, Steer, Through
from garage_nb.inject.mask import Mask
from garage_nb.inject.patch import Patch
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.router import RouterBias
from garage_nb.inject.routing.experts import Experts
from garage_nb.inject.routing.isolate import Isolate
from garage_nb.inject.routing.reroute import Reroute
from garage_nb.inject.sources import rows_at
from garage_nb.inject.threshold import Threshold
from garage_nb.verbs import call

FRANCE, ITALY = "The capital of France is", "The capital of Italy is"
DIRECTION = torch.linspace(-1, 1, 128)


@pytest.fixture(scope="module")
def showroom() -> Garage:
    return Garage("showroom-llama")


@pytest.fixture(scope="module")
def moe() -> Garage:
    return Garage("showroom-moe")


@pytest.fixture
def garage(showroom: Garage) -> Garage:
    showroom.reset()
    return showroom


def rows(garage: Garage, place: str, text: Any = ITALY) -> torch.Tensor:
    return rows_at(garage.model, garage.spec, place, text, garage.tokenizer)


SAID: dict[str, Callable[[Garage], Edit]] = {
    "scale layer_1 0.5 --tokens -1": lambda g: Scale("layer_1", 0.5, tokens="-1"),  # type: ignore[arg-type]
    "add layer_1 0.25 --tokens prompt": lambda g: Add("layer_1", 0.25, tokens="prompt"),  # type: ignore[arg-type]
    "steer layer_1 @direction 2.5": lambda g: Steer("layer_1", DIRECTION, 2.5),
    "steer layer_1 @direction -1 --tokens not_first": lambda g: Steer("layer_1", DIRECTION, -1.0, tokens="not_first"),  # type: ignore[arg-type]
    "noise layer_1 0.2 --seed 3 --tokens 0,-1": lambda g: Noise("layer_1", 0.2, 3, tokens="0,-1"),  # type: ignore[arg-type]
    "ablate ffn_2": lambda g: Ablate("ffn_2"),
    "ablate ffn_2 mean --reference italy": lambda g: Ablate("ffn_2", "mean", rows(g, "ffn_2")),
    "ablate ffn_2 resample --reference italy --seed 4": lambda g: Ablate("ffn_2", "resample", rows(g, "ffn_2"), 4),
    "patch layer_2 italy": lambda g: Patch("layer_2", rows(g, "layer_2")),
    "patch layer_2 italy --positions -1 --tokens -1": lambda g: Patch("layer_2", rows(g, "layer_2")[-1:], tokens="-1"),  # type: ignore[arg-type]
    "mask attention_1 --drop 0,-1": lambda g: Mask("attention_1", drop=[0, -1]),
    "mask ffn_1 --keep 3:9 --tokens generated": lambda g: Mask("ffn_1", keep="3:9", tokens="generated"),  # type: ignore[arg-type]
    "threshold ffn_1.neurons 0.3 --tokens not_first": lambda g: Threshold("ffn_1.neurons", 0.3, tokens="not_first"),  # type: ignore[arg-type]
    "through layer_1 @tanh --tokens 0": lambda g: Through("layer_1", torch.tanh, tokens="0"),  # type: ignore[arg-type]
}  # fmt: skip
LIVE = {"@direction": DIRECTION, "@tanh": torch.tanh, "italy": ITALY}


@pytest.mark.parametrize("line", SAID)
def test_a_line_puts_its_edit_in_force(garage: Garage, line: str) -> None:
    call(garage, [LIVE.get(word, word) for word in line.split()])

    assert garage.edits == Recipe((SAID[line](garage),))


@pytest.mark.parametrize("line", [line for line in SAID if "@" not in line and "italy" not in line])
def test_what_is_in_force_can_be_said_again(garage: Garage, line: str) -> None:
    first = call(garage, line.split()).recipe
    garage.reset()

    assert call(garage, str(first).split()).recipe == first


def test_one_patched_token_takes_the_answer_along(garage: Garage) -> None:
    """At the last layer the stream of the last token is all that the answer hangs on."""
    last = f"layer_{garage.spec.num_layers - 1}"
    garage.patch(last, ITALY, positions="-1", tokens="-1")

    patched = garage.compare(prompt=FRANCE)

    garage.reset()
    italian = garage.compare(prompt=ITALY)
    assert dict(zip(patched.tokens, patched.b, strict=True))[italian.tokens[0]] == pytest.approx(italian.a[0], abs=1e-5)  # type: ignore[union-attr]


def test_snapshots_are_brought_to_their_own_places(garage: Garage) -> None:
    shots = garage.capture(ITALY, layers="layer_0,layer_2", keep=True)

    garage.patch("layer_0,layer_2", shots)

    assert garage.edits == Recipe(tuple(Patch(name, rows(garage, name)) for name in ("layer_0", "layer_2")))
    with pytest.raises(InputError, match="layer_1 was not captured"):
        garage.patch("layer_1", shots)


def test_a_reference_of_several_texts_leaves_padding_out(garage: Garage) -> None:
    garage.ablate("ffn_2", "mean", reference=[ITALY, "The capital of"])

    both = torch.cat([rows(garage, "ffn_2"), rows(garage, "ffn_2", "The capital of")])
    (edit,) = garage.edits
    assert isinstance(edit, Ablate)
    torch.testing.assert_close(edit.reference, both.mean(dim=0), rtol=1e-5, atol=1e-5)


def test_experts_are_made_likelier_by_number_or_all_at_once(moe: Garage) -> None:
    moe.reset()
    call(moe, ["bias", "gate_*", "-10", "--expert", "1,-1"])
    gates = [name for name in moe.spec.parts if name.startswith("gate")]
    assert moe.edits == Recipe(tuple(RouterBias(name, (0, -10, 0, -10)) for name in gates))

    moe.reset()
    moe.bias("gate_0", torch.tensor([0.0, 1, 2, 3]))
    assert moe.edits == Recipe((RouterBias("gate_0", (0, 1, 2, 3)),))
    assert moe.compare(prompt=FRANCE).divergence > 0  # type: ignore[union-attr]


ROUTED: dict[str, Edit] = {
    "isolate gate_1 2": Isolate("gate_1", 2),
    "isolate ffn_0 -1 --tokens not_first": Isolate("ffn_0", -1, tokens="not_first"),  # type: ignore[arg-type]
    "experts gate_1 --keep 0,1": Experts("gate_1", keep=[0, 1]),
    "experts gate_1 --drop -1 --tokens prompt": Experts("gate_1", drop=-1, tokens="prompt"),  # type: ignore[arg-type]
    "reroute gate_1 random --seed 3": Reroute("gate_1", "random", 3),
    "reroute ffn_1 uniform": Reroute("ffn_1", "uniform"),
}


@pytest.mark.parametrize("line", ROUTED)
def test_a_line_says_where_tokens_go(moe: Garage, line: str) -> None:
    moe.reset()

    call(moe, line.split())

    assert moe.edits == Recipe((ROUTED[line],))
    assert moe.recipe().magic == f"%garage {line}"
    assert moe.compare(prompt=FRANCE).divergence > 0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "line", ["routers", "calibrate", "isolate gate_1 2", "experts gate_* --drop 2", "reroute ffn_1 anti"]
)
def test_a_model_without_routers_is_refused_in_two_lines(garage: Garage, line: str) -> None:
    with pytest.raises(GarageError, match=r"gate_|no tokens to experts") as caught:
        call(garage, line.split())

    assert str(caught.value).count("\n") == 1
    assert not len(garage.edits)


def test_items_to_calibrate_by_may_be_in_a_file(moe: Garage, tmp_path: Path) -> None:
    moe.reset()
    pairs = [("The capital of France is", "Paris"), ("The capital of Japan is", "Tokyo")]
    file = tmp_path / "items.csv"
    file.write_text("prompt,answer\n" + "".join(f"{prompt},{answer}\n" for prompt, answer in pairs))

    found = call(moe, ["calibrate", str(file), "--layers", "gate_1"])

    assert repr(found) == repr(moe.calibrate(pairs, layers="gate_1"))


WRONG: dict[str, tuple[list[Any], type[Exception], str]] = {
    "tokens": (["scale", "layer_0", "2", "--tokens", "some"], EditError, "'some' says no tokens"),
    "how": (["ablate", "layer_0", "shuffle"], InputError, "shuffle"),
    "no reference": (["ablate", "layer_0", "mean"], EditError, "mean needs a reference"),
    "width": (["steer", "ffn_0.neurons", DIRECTION], EditError, "does not fit ffn_0.neurons"),
    "text": (["steer", "layer_0", "north"], EditError, "'north' is no direction"),
    "head": (["mask", "attention_0", "--drop", "99"], EditError, "has no number 99"),
    "both": (["mask", "attention_0", "--drop", "0", "--keep", "1"], EditError, "either"),
    "router": (["bias", "layer_0", "1", "--expert", "0"], EditError, "chooses no experts|There is no expert"),
    "place": (["patch", "layer_99", ITALY], UnknownPartError, "layer_99"),
    "positions": (["patch", "layer_0", ITALY, "--positions", "50"], EditError, "none of the"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_changes_nothing(garage: Garage, case: str) -> None:
    words, kind, message = WRONG[case]
    before = garage.history

    with pytest.raises(kind, match=message) as caught:
        call(garage, words)

    assert str(caught.value).count("\n") == 1
    assert garage.history is before


def test_a_bias_without_its_expert_is_refused(moe: Garage) -> None:
    with pytest.raises(EditError, match="No expert was named"):
        call(moe, ["bias", "gate_0", "3"])
    with pytest.raises(EditError, match="no expert 9"):
        call(moe, ["bias", "gate_0", "3", "--expert", "9"])
    with pytest.raises(EditError, match="is no number"):
        call(moe, ["bias", "gate_0", "much", "--expert", "1"])

"""A recipe as lines to type: typed again, in either language, they make the same recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from garage_nb.errors import EditError, GarageError, InputError, RecipeFileError, UnknownPartError
from garage_nb.garage import Garage
from tests.magics.conftest import run as run
from tests.magics.conftest import shell as shell

DIRECTION, MODULE = torch.linspace(-1, 1, 128), torch.nn.Tanh()

CHANGES: dict[str, Callable[[Garage], Any]] = {
    "scale": lambda g: g.scale("layer_1,attention_*", 1 / 3, tokens="not_first"),
    "add": lambda g: (g.add("layer_1", -0.1), g.add("layer_-1", DIRECTION)),
    "steer": lambda g: g.steer("layer_1", DIRECTION, -1e-7, tokens="0,-1"),
    "noise": lambda g: g.noise("attention_0.head_1", 0.25, seed=3),
    "ablate": lambda g: (g.ablate("ffn_1"), g.ablate("layer_1", "resample", reference=torch.randn(3, 128), seed=4)),
    "a mean": lambda g: g.ablate("layer_1", "mean", reference="The capital of France is"),
    "patch": lambda g: g.patch("layer_1", "The capital of Spain is", positions="-1", tokens="-1"),
    "mask": lambda g: (g.mask("attention_1", drop="0,-1"), g.mask("ffn_0", keep="4:6")),
    "threshold": lambda g: g.threshold("ffn_*.neurons", 1 / 3, tokens="not_first"),
    "through": lambda g: g.through("layer_1", MODULE),
}


@pytest.fixture
def garage() -> Garage:
    return Garage("showroom")


@pytest.mark.parametrize("change", CHANGES)
def test_typed_again_it_is_the_same_recipe(
    garage: Garage, shell: InteractiveShell, run: Callable[[str], Any], change: str
) -> None:
    CHANGES[change](garage)
    written = garage.recipe()
    again = Garage("showroom")
    shell.push({"garage": again, **written.values})

    run(written.python)
    run("%garage load showroom")
    run(written.magic)

    assert again.edits == garage.edits
    assert run("%garage status").recipe == garage.edits


def test_what_is_said_of_routers_too(shell: InteractiveShell, run: Callable[[str], Any]) -> None:
    garage, again = Garage("showroom-moe"), Garage("showroom-moe")
    garage.bias("gate_0", -10, expert="0,2")
    garage.isolate("ffn_1", -1, tokens="-1")
    garage.experts("gate_*", keep="0,2:4")
    garage.experts("gate_2", drop=-1, tokens="not_first")
    garage.reroute("gate_3", "random", seed=3)
    written = garage.recipe()
    shell.push({"garage": again, **written.values})

    run(written.python)
    run("%garage load showroom-moe")
    run(written.magic)

    assert again.edits == garage.edits == run("%garage status").recipe


def test_what_no_verb_makes_is_said(garage: Garage) -> None:
    from garage_nb.inject.rounds import Debate

    garage.scale("layer_0", 0.5)
    garage.history = garage.history.to(garage.edits + Debate("layer_1"))

    lines = garage.recipe().magic.splitlines()

    assert lines[0] == "%garage scale layer_0 0.5"
    assert lines[1].startswith("# debate layer_1")


def test_saved_and_applied_it_is_in_force_and_can_be_undone(garage: Garage, tmp_path: Path) -> None:
    CHANGES["steer"](garage)
    saved = garage.recipe("save", str(tmp_path / "tuned.json"))
    other = Garage("showroom")
    other.scale("layer_0", 2)

    applied = other.recipe("apply", str(saved.file))

    assert applied.recipe == other.edits == garage.edits
    other.undo()
    assert str(other.edits) == "scale layer_0 2"


@pytest.mark.parametrize("asked", [("save",), ("apply",), ("show", "tuned.json")])
def test_a_file_is_asked_for_where_it_is_needed(garage: Garage, asked: tuple[Any, ...]) -> None:
    with pytest.raises(InputError, match="FILE"):
        garage.recipe(*asked)


def test_a_recipe_that_does_not_fit_changes_nothing(garage: Garage, tmp_path: Path) -> None:
    garage.scale("layer_0", 2)
    deep, wide = Garage("showroom-moe"), Garage("showroom")
    wide.scale("layer_5", 0.5)
    wide.recipe("save", str(tmp_path))
    before = deep.edits

    with pytest.raises((UnknownPartError, EditError)):
        deep.recipe("apply", str(tmp_path))
    with pytest.raises(RecipeFileError):
        garage.recipe("apply", str(tmp_path / "none.json"))
    garage.through("layer_1", MODULE)
    with pytest.raises(GarageError, match="Tanh"):
        garage.recipe("save", str(tmp_path / "no.json"))

    assert deep.edits == before
    assert not (tmp_path / "no.json").exists()

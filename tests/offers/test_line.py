"""What may be written next, wherever the cursor stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from garage_nb.core.stats import NAMES
from garage_nb.offers import Offer, Scene, offers, outlined
from garage_nb.registry.models import ModelRegistry
from garage_nb.showroom.shelf import names
from garage_nb.verbs import Text
from tests.families import tiny
from tests.offers.conftest import Ask

VERBS = outlined()


def test_a_line_begins_with_a_verb(ask: Ask) -> None:
    assert ask("") == list(VERBS)
    assert ask("cap") == ["capture"]
    assert "analyze" in ask("an")


@pytest.mark.parametrize(("said", "meant"), [("scael", "scale"), ("captrue", "capture"), ("analyse", "analyze")])
def test_a_mistyped_verb_is_mended(ask: Ask, said: str, meant: str) -> None:
    assert ask(said)[0] == meant


def test_metrics_are_offered_by_name(ask: Ask) -> None:
    assert ask("patching", "a", "b", "--metric", "log") == ["logit_difference", "log_probability"]
    assert "divergence" in ask("ablation", "a", "--metric", "")


@pytest.mark.parametrize("name", VERBS)
def test_every_option_of_every_verb_is_offered_once(ask: Ask, name: str) -> None:
    kinds = VERBS[name].signature.parameters.values()
    own = [f"--{item.name.replace('_', '-')}" for item in kinds if item.kind is item.KEYWORD_ONLY]

    assert ask(name, "--") == own
    for option in own:
        assert ask(name, f"{option}=1", "--") == [other for other in own if other != option]


def test_a_mistyped_option_is_mended(ask: Ask) -> None:
    assert ask("capture", "x", "--layrs") == ["--layers"]


def test_the_faces_own_options_come_last_and_know_whether_they_take_a_value(ask: Ask) -> None:
    own = {"--as": True, "--debug": False}

    assert ask("undo", "--", options=own) == ["--as", "--debug"]
    assert ask("scale", "--as", "", options=own) == []
    assert "layer_*" in ask("scale", "--debug", "", options=own)


def test_arguments_are_counted(ask: Ask) -> None:
    assert "layer_*" in ask("scale", "")
    assert "layer_*" not in ask("scale", "layer_1", "")
    assert ask("ablate", "layer_1", "m") == ["mean"]
    assert ask("ablate", "--seed", "3", "layer_1", "m") == ["mean"]
    assert ask("ablate", "-v", "where", "m") == ["mean"]
    assert ask("ablate", "--part", "layer_1", "m") == ["mean"]
    assert ask("ablate", "--part", "layer_1") == ["layer_1"]
    assert ask("ablate", "layer_1", "mean", "m") == []


def test_options_are_offered_where_no_argument_is_due(ask: Ask) -> None:
    assert ask("capture", "x", "") == ["--layers", "--keep", "--tau"]
    assert ask("capture", "x", "--keep", "") == ["--layers", "--tau"]
    assert "--tokens" not in ask("scale", "")
    assert ask("registry", "") == ["list", "add"]


def test_values_are_offered_with_a_space_and_with_an_equals_sign(ask: Ask) -> None:
    assert ask("plot", "x", "--statistic", "k") == ask("plot", "x", "--statistic=k") == ["kurtosis"]
    assert ask("plot", "x", "--statistic", "") == list(NAMES)
    assert ask("plot", "x", "--statistic", "sparcity") == ["sparsity"]
    assert ask("scale", "layer_1", "2", "--tokens", "not") == ["not_first"]
    assert ask("generate", "x", "--tokens", "") == []
    assert ask("help", "ste") == ["steer"]
    assert ask("show", "p") == ["picker", "ping"]
    assert ask("config", "ta") == ["tau"]


@pytest.mark.parametrize("verb", ["capture", "generate", "plot", "sweep"])
@pytest.mark.parametrize("word", ["lay", "attention_", "0,layer_", "showroom", Text(""), Text("--lay"), Text("@")])
def test_a_prompt_is_nobodys_business(ask: Ask, verb: str, word: str) -> None:
    assert ask(verb, word, variables={"shots": 1}) == []
    assert ask(verb, "--prompt", word) == []


def test_a_cell_is_the_prompt_and_has_its_own_verbs(ask: Ask) -> None:
    assert "capture" in ask("", cell=True)
    assert "scale" in ask("", cell=True)
    assert not {"load", "parts", "help"} & set(ask("", cell=True))
    assert ask("capture", "", cell=True) == ["--layers", "--keep", "--tau"]


def test_after_a_verb_there_is_none_of_there_is_nothing(ask: Ask) -> None:
    assert ask("scael", "lay") == []


def test_variables_are_offered_where_objects_are_taken(ask: Ask) -> None:
    known = {"direction": torch.ones(3), "model": tiny("gpt2"), "np": np, "text": "Hi"}

    assert ask("steer", "layer_1", "@", variables=known) == ["@direction", "@model", "@text"]
    assert ask("steer", "layer_1", "@d", variables=known) == ["@direction"]
    assert "@direction" in ask("steer", "layer_1", "", variables=known)
    assert ask("steer", "layer_1", "-v", "d", variables=known) == ["direction"]
    assert "@model" in ask("load", "", variables=known)
    assert not {"@direction", "@text"} & set(ask("load", "", variables=known))


def test_models_are_those_of_the_showroom_and_of_the_catalogue(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GARAGE_NB_CACHE", str(tmp_path))
    ModelRegistry().register("mine/own", tiny("gpt2"))
    (tmp_path / "broken.json").write_text("{")

    offered = ask("load", "")

    assert offered[: len(names()) + 1] == [*names(), "mine/own"]
    assert ask("compare", "showroom-llama", "mi") == ask("registry", "add", "--model=mi") == ["mine/own"]
    assert ask("load", "showrom")[0] == "showroom"


def test_files_are_offered_where_files_are_taken(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.png").touch()
    (tmp_path / "some.png").touch()
    (tmp_path / ".hidden").touch()
    monkeypatch.chdir(tmp_path)

    assert ask("plot", "x", "--save", "s") == ["some.png", "sub/"]
    assert ask("plot", "x", "--save", "sub/") == ["sub/deep.png"]
    assert ask("plot", "x", "--save", ".") == [".hidden"]
    assert ask("load", "./") == ["./sub/"]


def test_every_offer_says_what_it_is() -> None:
    def kinds(*words: str) -> set[str]:
        *before, word = words
        return {offer.kind for offer in offers(before, word, Scene(VERBS, variables={"x": 1}))[1]}

    assert kinds("") == {"verb"}
    assert kinds("capture", "x", "--") == {"option"}
    assert kinds("plot", "x", "--statistic", "") == {"value"}
    assert kinds("load", "show") == {"model"}
    assert kinds("load", "@") == {"variable"}


def test_what_is_replaced_is_the_end_of_the_word(llama: object) -> None:
    scene = Scene(VERBS, spec=llama)  # type: ignore[arg-type]

    assert offers(["capture", "x"], "--layers=0,att", scene)[0] == "att"
    assert offers(["scale"], "0,layer_2", scene) == ("layer_2", [Offer("layer_2", "part")])
    assert offers([], "sc", scene)[0] == "sc"

"""The words after `garage`, read before any model is loaded."""

from __future__ import annotations

import pytest

from garage_nb.command.line import EDIT, FORMAT, LOADING, read_line
from garage_nb.errors import InputError
from garage_nb.garage import Garage
from garage_nb.verbs import Call, verbs_of

FRANCE = "The capital of France is"


def test_a_model_edits_and_a_verb_are_told_apart_wherever_they_stand() -> None:
    words = [
        "generate",
        "--edit",
        "scale layer_2 3",
        "gpt2",
        FRANCE,
        "--device=cpu",
        "--edit=noise ffn_1",
        "--tokens",
        "3",
    ]

    line = read_line([*words, "--format", "json"])

    assert line.loading == Call("load", {"source": "gpt2", "device": "cpu"})
    assert line.edits == (
        Call("scale", {"part": "layer_2", "factor": 3.0}),
        Call("noise", {"part": "ffn_1"}),
    )
    assert line.call == Call("generate", {"prompt": FRANCE, "tokens": 3})
    assert line.format == "json"


def test_an_edit_keeps_its_quotes() -> None:
    line = read_line(["plot", "showroom", FRANCE, "--edit", f'patch layer_1 "{FRANCE}" --positions -1'])

    assert line.edits[0].arguments["source"] == FRANCE


def test_a_verb_without_a_model_loads_none() -> None:
    assert read_line(["compare", "a", "b"]).loading is None
    assert read_line(["models"]).call == Call("models", {})


def test_load_shows_what_it_loaded() -> None:
    line = read_line(["load", "showroom", "--dtype", "bfloat16"])

    assert line.loading == Call("load", {"source": "showroom", "dtype": "bfloat16"})
    assert line.call == Call("status", {})


def test_the_commands_own_options_are_no_verbs_options() -> None:
    taken = {
        f"--{name.replace('_', '-')}"
        for entry in verbs_of(Garage).values()
        if entry.name != "load"
        for name in entry.signature.parameters
    }

    assert not taken & {EDIT, FORMAT, *LOADING}


def test_an_edit_does_what_the_verb_does() -> None:
    line = read_line(["generate", "showroom", FRANCE, "--tokens", "4", "--edit", "scale layer_2 3"])
    garage = Garage("showroom")
    garage.scale("layer_2", 3)

    assert line.run() == garage.generate(FRANCE, tokens=4)
    assert line.run() != Garage("showroom").generate(FRANCE, tokens=4)


REFUSED = {
    "no such verb": (["scael"], "no verb 'scael'"),
    "no model": (["analyze"], "capture needs a model.*\n.*garage capture showroom"),
    "an option for a model": (["analyze", "--prompt", "x"], "capture needs a model"),
    "no prompt": (["analyze", "showroom"], "capture needs PROMPT.*\nUsage: garage capture MODEL PROMPT"),
    "an edit as a verb": (["scale", "showroom", "layer_0", "0.5"], 'scale belongs to a session.*\n.*--edit "scale'),
    "a setting": (["config", "tau", "1"], "config belongs to a session.*\n.*notebook"),
    "an edit that is none": (["generate", "showroom", "x", "--edit", "status"], "status is no edit"),
    "an edit left open": (["generate", "showroom", "x", "--edit", 'scale "layer_0'], "not closed"),
    "an edit cut short": (["generate", "showroom", "x", "--edit", "scale layer_0"], "scale needs FACTOR"),
    "an edit of nothing": (["generate", "showroom", "x", "--edit", " "], "--edit is empty"),
    "an edit without a model": (["models", "--edit", "scale layer_0 1"], "models takes neither --edit"),
    "an option without its value": (["parts", "showroom", "--format"], "--format needs a value"),
    "a format there is not": (["parts", "showroom", "--format", "jsno"], "no format.*\nNearest: json"),
    "a live panel": (["survey", "showroom", "texts.txt", "--live"], "for a notebook.*\n.*%garage survey there"),
    "two formats": (["parts", "showroom", "--format", "json", "--format", "csv"], "no format"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_understood_is_refused_in_two_lines(case: str) -> None:
    words, message = REFUSED[case]

    with pytest.raises(InputError, match=message) as caught:
        read_line(words)

    assert str(caught.value).count("\n") == 1

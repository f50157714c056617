"""The table of verbs: words in, a method call out, and what is wrong said in two lines."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.errors import InputError
from garage_nb.garage import Garage
from garage_nb.verbs import Text, call, find, usage, verbs_of
from tests.families import tiny

VERBS = verbs_of(Garage)


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny("llama")


@pytest.fixture
def garage(model: Any) -> Garage:
    return Garage(model)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_and_each_of_its_arguments_is_explained(name: str) -> None:
    entry = VERBS[name]
    explained = entry.doc.partition("Args:")[2]

    assert entry.summary.endswith(".")
    for parameter in list(entry.signature.parameters)[1:]:
        assert f"{parameter}: " in explained


def test_names_and_aliases_lead_to_one_verb_each() -> None:
    names = [word for entry in VERBS.values() for word in (entry.name, *entry.aliases)]

    assert len(names) == len(set(names))
    assert find(VERBS, "analyze") is VERBS["capture"]


REFUSED = {
    "no such verb": (["scael", "layer_0"], "no verb 'scael'.*\n.*scale"),
    "a verb cut short": (["cap", "hi"], "no verb 'cap'.*\n.*capture"),
    "an argument missing": (["scale", "layer_0"], "needs FACTOR.*\n.*scale PART FACTOR"),
    "an option cut short": (["generate", "x", "--tok", "3"], "--tok.*--tokens"),
    "an option without its value": (["generate", "x", "--tokens"], "--tokens"),
    "an option twice": (["generate", "x", "--tokens", "1", "--tokens", "2"], "multiple"),
    "a text without quotes": (["generate", "I", "don't", "know"], 'don\'t know.*\n.*“?"…"'),
    "a word for a number": (["scale", "layer_0", "abc"], "abc is no number"),
    "a fraction for a count": (["generate", "x", "--tokens", "1.5"], "1.5 is no whole number"),
    "a live fraction for a count": (["generate", "x", "--tokens", 1.5], "float is no whole number"),
    "a live table for a number": (["scale", "layer_0", {"a": 1}], "dict is no number"),
    "an action there is not": (["registry", "burn"], "burn.*list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_two_lines(garage: Garage, case: str) -> None:
    words, message = REFUSED[case]

    with pytest.raises(InputError, match=message) as caught:
        call(garage, words)

    assert str(caught.value).count("\n") == 1
    assert "@object" not in str(caught.value)
    assert len(garage.edits) == 0


@pytest.mark.parametrize("layers", ["-1", "0,-1", "attention_*"])
def test_a_selector_may_begin_with_a_minus(garage: Garage, layers: str) -> None:
    spaced = call(garage, ["capture", [1, 2], "--layers", layers])
    joined = call(garage, ["capture", [1, 2], f"--layers={layers}"])

    assert list(spaced) == list(joined) == garage.spec.select(layers)


def test_a_flag_needs_no_value(garage: Garage) -> None:
    kept = call(garage, ["capture", [1, 2], "--keep"])["layer_0"].hidden

    assert kept.shape == (1, 2, 32)


def test_live_objects_arrive_as_they_are(garage: Garage) -> None:
    direction, module = torch.ones(32), torch.nn.Identity()

    call(garage, ["add", "layer_0", direction])
    call(garage, ["through", "layer_1", module])
    call(garage, ["scale", "layer_2", 0.25])

    added, through, scaled = garage.edits
    assert torch.equal(added.value, direction)
    assert through.module is module
    assert scaled.factor == 0.25


@pytest.mark.parametrize("text", ["--tokens", "-hello", "-", "--", "--help", "- item"])
def test_a_quoted_text_is_never_an_option(text: str) -> None:
    garage = Garage("showroom")

    assert call(garage, ["generate", Text(text), "--tokens", "1"]).prompt == text


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_there_for_every_verb(garage: Garage, word: str) -> None:
    assert repr(call(garage, ["scale", word])) == repr(garage.help("scale"))
    assert repr(call(garage, [word])) == repr(call(garage, [])) == repr(garage.help())


def test_usage_says_what_is_taken_when_left_out() -> None:
    assert usage(VERBS["capture"]) == "capture PROMPT [--layers all] [--keep] [--tau …]"
    assert usage(VERBS["noise"]) == "noise PART [STD] [--seed 0] [--tokens all]"
    assert usage(VERBS["capture"], "MODEL").startswith("garage capture MODEL PROMPT ")
    assert usage(VERBS["doctor"], "MODEL") == "garage doctor"
    assert usage(VERBS["parts"]) == "parts [SELECT]"
    assert usage(VERBS["compare"]) == "compare [A] [B] [--prompt …]"

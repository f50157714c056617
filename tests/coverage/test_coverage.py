"""A slice of the matrix: unlike architectures, each opened and checked like all of them."""

from __future__ import annotations

import json

import pytest
import torch

from .__main__ import FILE
from .matrix import row
from .zoo import Entry, build, entries, inputs

SLICE = {
    "causal": """gpt2 llama mistral mixtral qwen2_moe qwen3 qwen3_moe qwen3_next gemma2 gemma3_text gemma4_text phi phi3
        phimoe gpt_oss gpt_neox opt bloom falcon mpt gptj olmo olmo2 olmo3 stablelm granite granitemoe deepseek_v3
        cohere2 mamba jamba zamba2 rwkv nemotron_h minimax roberta-prelayernorm xlnet doge llama4 mllama""",
    "masked": "bert albert modernbert deberta-v2 fnet",
    "seq2seq": "t5 bart pegasus_x marian",
}
EVERY = [entry for entry in entries() if not entry.refused]
CHOSEN = [entry for entry in EVERY if entry.model_type in SLICE[entry.task].split()]
REST = [entry for entry in EVERY if entry not in CHOSEN]


@pytest.mark.parametrize("entry", CHOSEN, ids=str)
def test_it_opens_and_every_check_holds(entry: Entry) -> None:
    found = row(entry)

    assert found.state == "ok", (found.reason, found.checks)


@pytest.mark.slow
@pytest.mark.parametrize("entry", REST, ids=str)
def test_the_others_are_right_or_refused(entry: Entry) -> None:
    assert row(entry).state != "wrong"


def test_the_slice_is_wide() -> None:
    assert len(CHOSEN) == sum(len(names.split()) for names in SLICE.values()) >= 30


def test_the_page_has_every_class_and_none_that_is_wrong() -> None:
    """165 was the aim; the page is made again by `python -m tests.coverage`."""
    rows = json.loads(FILE.with_suffix(".json").read_text())

    assert {(one["task"], one["model_type"]) for one in rows} == {(e.task, e.model_type) for e in entries()}
    assert not [one["class_name"] for one in rows if one["state"] == "wrong"]
    assert sum(one["state"] == "ok" for one in rows if one["task"] == "causal") >= 165


def test_a_model_of_the_zoo_is_the_same_each_time_and_random_numbers_stay() -> None:
    entry = CHOSEN[0]
    state = torch.random.get_rng_state()

    first, second = build(entry), build(entry)

    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.no_grad():
        assert torch.equal(first(**inputs(first)).logits, second(**inputs(second)).logits)

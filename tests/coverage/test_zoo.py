"""The zoo itself: every class is small, runs, is the same each time, and keeps what makes its family different."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from .sizes import FACTOR
from .zoo import IDS, LARGEST, MAPPINGS, Entry, build, entries, inputs, tiny_config

SLICE = {
    "causal": """gpt2 llama mistral mixtral qwen2 qwen3_next gemma2 gemma3 gemma3n_text gemma4_text phi3 gpt_oss
        gpt_neox opt bloom falcon mpt olmo2 granite granitemoehybrid deepseek_v3 deepseek_v32 cohere2 mamba2 jamba
        zamba2 nemotron_h minimax kimi_linear mllama musicgen blt xlnet xlstm reformer""",
    "masked": "bert albert modernbert perceiver neomme",
    "seq2seq": "t5 bart t5gemma2 nllb-moe encoder-decoder qwen2_audio",
}
ALL = entries()
KNOWN = {str(entry): entry for entry in ALL}
BUILT = [entry for entry in ALL if not entry.refused]
CHOSEN = [entry for entry in BUILT if entry.model_type in SLICE[entry.task].split()]
REST = [entry for entry in BUILT if entry not in CHOSEN]


@torch.no_grad()
def logits(model: Any) -> Tensor:
    answer: Tensor = model(**inputs(model)).logits
    return answer


def runs_and_is_the_same_each_time(entry: Entry) -> None:
    state = torch.random.get_rng_state()

    first, second = build(entry), build(entry)

    assert torch.equal(torch.random.get_rng_state(), state)
    assert not first.training
    assert {parameter.dtype for parameter in first.parameters()} == {torch.float32}
    assert sum(parameter.numel() for parameter in first.parameters()) < LARGEST
    assert logits(first).isfinite().all()
    assert logits(first).std() > 0
    assert torch.equal(logits(first), logits(second))


@pytest.mark.parametrize("entry", CHOSEN, ids=str)
def test_a_tiny_model_runs(entry: Entry) -> None:
    runs_and_is_the_same_each_time(entry)


@pytest.mark.slow
@pytest.mark.parametrize("entry", REST, ids=str)
def test_every_other_one_does(entry: Entry) -> None:
    runs_and_is_the_same_each_time(entry)


def test_the_slice_is_what_it_says() -> None:
    assert len(CHOSEN) == sum(len(names.split()) for names in SLICE.values()) >= 30


def test_nearly_every_class_is_there() -> None:
    built = {task: sum(entry.task == task for entry in BUILT) for task in MAPPINGS}

    assert built["causal"] >= 171
    assert {task: len(entries(task)) - built[task] for task in MAPPINGS} == {"causal": 3, "masked": 0, "seq2seq": 1}


def test_a_refusal_says_why_and_is_of_a_class_that_exists() -> None:
    assert all(len(entry.refused.split()) > 3 for entry in ALL if entry.refused)


def test_another_seed_is_another_model() -> None:
    entry = KNOWN["causal-llama"]

    assert not torch.equal(logits(build(entry)), logits(build(entry, seed=1)))


@pytest.mark.parametrize("layers", [2, 5])
@pytest.mark.parametrize("model_type", ["gpt2", "gemma3_text", "deepseek_v3", "bamba"])
def test_as_many_layers_as_asked(model_type: str, layers: int) -> None:
    model = build(KNOWN[f"causal-{model_type}"], layers)

    assert model.config.get_text_config().num_hidden_layers == layers
    assert logits(model).isfinite().all()


@pytest.mark.parametrize(
    ("model_type", "kinds"),
    [
        ("gemma3_text", ["sliding_attention", "full_attention", "sliding_attention"]),
        ("qwen3_next", ["linear_attention", "full_attention", "linear_attention"]),
        ("lfm2_moe", ["conv", "full_attention", "conv"]),
        ("kimi_linear", ["linear_attention", "linear_attention", "full_attention"]),
    ],
)
def test_layers_of_every_kind_are_kept(model_type: str, kinds: list[str]) -> None:
    assert tiny_config(KNOWN[f"causal-{model_type}"]).layer_types == kinds


@pytest.mark.parametrize("model_type", ["deepseek_v3", "kimi_linear", "jamba", "glm4_moe", "lfm2_moe"])
def test_both_dense_and_sparse_blocks_are_kept(model_type: str) -> None:
    blocks = build(KNOWN[f"causal-{model_type}"]).model.layers
    halves = [getattr(block, "mlp", None) or block.feed_forward for block in blocks]

    assert len({type(half) for half in halves}) == 2


def test_no_factor_is_one_and_no_window_as_long_as_the_prompt() -> None:
    for entry in entries("causal"):
        if entry.refused:
            continue
        for name, value in _numbers(tiny_config(entry).get_text_config().to_dict()):
            assert not (FACTOR.search(name) and value == 1), f"{entry}: {name} is 1"
            assert not (name == "sliding_window" and value >= len(IDS)), f"{entry}: the window is {value}"


def _numbers(config: Mapping[str, Any]) -> list[tuple[str, float]]:
    given = [(name, value) for name, value in config.items() if not isinstance(value, bool)]
    return [(name, value) for name, value in given if isinstance(value, int | float)]

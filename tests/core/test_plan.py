"""Plans say in a sentence what a question costs, and a chain knows which block comes first."""

from __future__ import annotations

from typing import Any

import pytest

from garage_nb.core.chain import Chain
from garage_nb.core.plan import planned
from garage_nb.core.sites import Read, Tap, Write, everywhere
from garage_nb.registry.decompose import spec_of
from tests.families import FAMILIES, tiny


def read_at(model: Any, *names: str) -> list[Tap]:
    return [Read(spec_of(model).site(name), lambda hidden: None) for name in names]


def write_at(model: Any, *names: str) -> list[Tap]:
    return [Write(spec_of(model).site(name), everywhere(lambda hidden: hidden * 2)) for name in names]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("embedding", 0), ("layer_0", 1), ("attention_0", 0), ("ffn_1", 1), ("attention_1.head_0", 1),
        ("ffn_2.neurons", 2), ("layer_1", 2), ("layer_2", 3), ("layer_norm_final", 3), ("output_head", 3),
    ],
)  # fmt: skip
def test_where_an_edit_begins_to_act(family: str, name: str, start: int) -> None:
    """What leaves a block is edited after it; an edit inside it needs the block itself."""
    spec = spec_of(tiny(family))

    if name == "ffn_2.neurons" and not spec.part("ffn_2").count_of("neurons"):
        name = "ffn_2"

    assert spec.chain.start(spec.site(name)) == start


def test_a_module_by_its_path_is_found_in_its_block(llama: Any) -> None:
    spec = spec_of(llama)

    assert spec.chain.start(spec.site("model.layers.2.mlp.gate_proj")) == 2
    assert spec.chain.start(spec.site("model.rotary_emb")) == 0  # nobody knows where it runs: everything is needed


@pytest.mark.parametrize(
    ("reads", "writes", "logits", "sentence"),
    [
        ((), (), 0, "Runs blocks 0 to 2 of 3; logits of all tokens."),
        (("layer_0",), (), None, "Runs block 0 of 3 and stops; no logits; 1 reading."),
        (
            (), ("layer_1",), 1,
            "Runs block 2 of 3, taking what left block 1 from an earlier run; logits of the last token; 1 edit.",
        ),
        (
            ("layer_1",), ("attention_1",), None,
            "Runs block 1 of 3 and stops, taking what left block 0 from an earlier run; no logits; 1 edit; 1 reading.",
        ),
        (
            (), ("layer_2",), 4,
            "Runs none of 3 blocks, taking what left block 2 from an earlier run; logits of the last 4 tokens; 1 edit.",
        ),
    ],
)  # fmt: skip
def test_a_plan_explains_itself(llama: Any, reads: Any, writes: Any, logits: int | None, sentence: str) -> None:
    taps = [*write_at(llama, *writes), *read_at(llama, *reads)]

    assert planned(spec_of(llama).chain, taps, logits).explain() == sentence


def test_without_a_chain_the_whole_model_runs(llama: Any) -> None:
    plan = planned(Chain(), write_at(llama, "layer_1"), 1)

    assert plan.explain() == "Runs the whole model; logits of the last token; 1 edit."


def test_an_encoder_comes_before_its_decoder() -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=64, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0
    )  # fmt: skip
    spec = spec_of(T5ForConditionalGeneration(config).eval())

    assert [link.name for link in spec.chain.links] == ["encoder_layer_0", "encoder_layer_1", "layer_0", "layer_1"]
    assert spec.chain.start(spec.site("encoder_ffn_1")) == 1
    assert spec.chain.start(spec.site("cross_attention_1")) == 3

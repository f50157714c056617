"""Attention patterns, read in one pass: transformers' own, summing to 1, thumbnails that lose no line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.analyze.attention.attention import Attention, attention, overview
from garage_nb.errors import InputError, PartsLeftOut, UnavailablePartError, UnknownPartError, UnsupportedModelError
from garage_nb.garage import Garage
from tests.coverage.zoo import Entry, build, inputs
from tests.families import FAMILIES, PROMPT, tiny
from tests.restored import left_as_it_was

FRANCE = "The capital of France is"
T5 = Entry("seq2seq", "t5", "T5ForConditionalGeneration")


def recorded(model: Any, **given: Tensor) -> Any:
    """What transformers says, with the attention that can say it."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    with torch.no_grad():
        found = model(**given, output_attentions=True, use_cache=False)
    model.set_attn_implementation(before)
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_patterns_are_what_transformers_records(family: str) -> None:
    """Grouped queries, sliding windows and soft caps among them."""
    model = tiny(family)
    expected = recorded(model, input_ids=torch.tensor(PROMPT)).attentions

    with left_as_it_was(model):
        found = Garage(model).attention(PROMPT)

    assert list(found.parts) == ["attention_0", "attention_1", "attention_2"]
    for one, theirs in zip(found.parts.values(), expected, strict=True):
        assert one.weights.dtype == torch.float32
        assert torch.allclose(one.weights, theirs[0], atol=1e-6)
        assert torch.allclose(one.weights.sum(-1), torch.ones(one.weights.shape[:2]), atol=1e-6)


def test_encoder_decoder_and_cross_attention_have_tokens_of_their_own() -> None:
    model = build(T5)
    model.set_attn_implementation("eager")  # T5 as tested attends through the interface only when asked so
    given = inputs(model)
    theirs = recorded(model, **given)

    found = Garage(model).attention(given, layers="encoder_attention_*,attention_*,cross_attention_*")

    sizes = {name.rsplit("_", 1)[0]: (len(one.queries), len(one.keys)) for name, one in found.parts.items()}
    assert sizes == {"encoder_attention": (8, 8), "attention": (4, 4), "cross_attention": (4, 8)}
    for kind, name in (("encoder_attention", "encoder_attentions"), ("attention", "decoder_attentions"),
                       ("cross_attention", "cross_attentions")):  # fmt: skip
        for layer, expected in enumerate(theirs[name]):
            assert torch.allclose(found.parts[f"{kind}_{layer}"].weights, expected[0], atol=1e-6)


def test_edits_are_in_force(llama: Any) -> None:
    """With silent queries every token looks at all before it alike."""
    garage = Garage(llama)
    garage.scale("attention_1.q", 0.0)

    found = garage.attention(PROMPT, layers="attention_1")

    even = torch.ones(10, 10).tril() / torch.arange(1, 11)[:, None]
    assert torch.allclose(found.parts["attention_1"].weights, even.expand(4, 10, 10), atol=1e-6)


@pytest.mark.parametrize("layers", ["1", "attention_1", "attention_1.head_2", "attention_1.pattern", "layer_1", -2])
def test_a_part_can_be_named_by_layer_head_or_point(gpt2: Any, layers: str | int) -> None:
    assert list(Garage(gpt2).attention(PROMPT, layers=layers).parts) == ["attention_1"]


def test_a_thumbnail_holds_the_largest_weight_of_each_square() -> None:
    garage = Garage("showroom")
    whole = garage.attention(f"{FRANCE} Paris and {FRANCE}", layers="attention_3")

    small = overview(garage.lifted, f"{FRANCE} Paris and {FRANCE}", layers="attention_3", side=4)["attention_3"].weights

    weights = whole.parts["attention_3"].weights
    length = weights.shape[1]
    edges = [(i * length // 4, -(-(i + 1) * length // 4)) for i in range(4)]
    by_hand = [[[head[a:b, c:d].max() for c, d in edges] for a, b in edges] for head in weights.numpy()]
    assert length > 4
    assert np.array_equal(small.numpy(), np.array(by_hand))
    assert torch.equal(whole.thumbnails(4)["attention_3"], small)
    assert whole.thumbnails(100)["attention_3"].shape == weights.shape


def test_the_frame_says_what_each_token_looks_at_most() -> None:
    found = Garage("showroom").attention(FRANCE)

    frame = found.frame()

    assert len(frame) == 6 * 4 * 6
    row = frame.loc[("attention_3", 1, 5)]
    (at, token, weight), *_ = found.strongest("attention_3.head_1")
    assert (row["key"], row["key_token"], row["weight"]) == (at, token, pytest.approx(weight))
    weights = found.head("attention_3.head_1")[5].double()
    assert row["entropy"] == pytest.approx(float(-(weights * weights.clamp(min=1e-300).log()).sum()))


def test_a_head_that_was_not_read_is_refused_with_the_nearest() -> None:
    found = Garage("showroom").attention(FRANCE, layers="0")

    for name in ("attention_0.head_4", "attention_1.head_0", "attention_0", "attention_0.head_-1"):
        with pytest.raises(UnknownPartError, match="no head that was read"):
            found.head(name)


def test_a_model_without_attention_is_refused_in_two_lines() -> None:
    with pytest.raises(UnsupportedModelError) as refused:
        Garage(build(Entry("causal", "mamba", "MambaForCausalLM"))).attention([3, 4, 5])

    assert str(refused.value).count("\n") == 1
    assert "mixer_*" in refused.value.hint


def test_a_model_whose_patterns_cannot_be_read_says_why() -> None:
    with pytest.raises(UnavailablePartError, match="attention interface"):
        Garage(build(Entry("causal", "mpt", "MptForCausalLM"))).attention([3, 4, 5])


def test_parts_without_a_pattern_are_left_out_with_a_warning() -> None:
    garage = Garage(build(T5))
    missing = garage.spec.parts["attention_1"].extra_info["points"]
    missing["pattern"] = "nobody says"

    with pytest.warns(PartsLeftOut, match="leaves out 1"):
        found = garage.attention(inputs(garage.model))

    assert list(found.parts) == ["attention_0", "attention_2"]


def test_what_does_not_attend_is_refused(gpt2: Any) -> None:
    with pytest.raises(InputError, match="ffn_1 of live model does not attend"):
        Garage(gpt2).attention(PROMPT, layers="ffn_1")


def test_more_than_the_budget_is_refused_before_anything_runs(gpt2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("garage_nb.analyze.attention.patterns.BUDGET", 3 * 4 * 10 * 10 * 4 - 1)
    monkeypatch.setattr("garage_nb.analyze.attention.patterns.read", lambda *given, **options: pytest.fail("it ran"))

    with pytest.raises(InputError, match="12 heads over 10 tokens"):
        attention(Garage(gpt2).lifted, PROMPT)


def test_several_prompts_at_once_are_refused(gpt2: Any) -> None:
    with pytest.raises(InputError, match="One prompt"):
        Garage(gpt2).attention([[3, 4], [5, 6]])


def test_a_pass_stops_after_the_last_pattern(gpt2: Any) -> None:
    """No later block and no head runs."""
    ran: list[int] = []
    garage = Garage(gpt2)
    for number, block in enumerate(gpt2.transformer.h):
        block.mlp.register_forward_hook(lambda *given, number=number: ran.append(number))

    found = garage.attention(PROMPT, layers="attention_1")

    assert isinstance(found, Attention)
    assert ran == [0]

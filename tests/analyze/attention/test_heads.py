"""Head scores: closed forms, loops over transformers' own patterns, and heads built by hand to be of one kind."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.analyze.attention.head_scores import AHEAD, SCORES, SHARES, Wanted, even
from garage_nb.analyze.attention.heads import DRAWS, heads, repeated
from garage_nb.errors import InputError, UnknownPartError, UnsupportedModelError
from garage_nb.garage import Garage
from garage_nb.inject.edits import Scale
from tests.analyze.attention.test_attention import recorded
from tests.coverage.zoo import Entry, build, inputs
from tests.families import tiny
from tests.restored import left_as_it_was

TEXTS = [[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5], [7, 8, 7, 8, 7], [9, 9]]
T5 = Entry("seq2seq", "t5", "T5ForConditionalGeneration")
BERT = Entry("masked", "bert", "BertForMaskedLM")
LETTERS, PLACES, LENGTH = 16, 24, 8  # of the model built by hand


def by_hand(texts: list[list[int]], patterns: list[np.ndarray]) -> dict[str, float]:
    """One head, cell by cell."""
    seen: dict[str, list[float]] = {name: [] for name in SCORES}
    for tokens, pattern in zip(texts, patterns, strict=True):
        for q, token in enumerate(tokens):
            row = pattern[q]
            seen["entropy"].append(-sum(share * math.log(share) for share in row if share > 0))
            if q:
                seen["previous_token"].append(row[q - 1])
                seen["sink"].append(row[0])
            earlier = [k for k in range(q) if tokens[k] == token]
            behind = [k + 1 for k in earlier if k + 1 < q]
            if earlier:
                seen["duplicate_token"].append(sum(row[k] for k in earlier))
            if behind:
                seen["induction"].append(sum(row[k] for k in behind))
    return {name: float(np.mean(values)) if values else math.nan for name, values in seen.items()}


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral"])
def test_scores_are_loops_over_transformers_own_patterns(family: str) -> None:
    model = tiny(family)
    theirs = [recorded(model, input_ids=torch.tensor([text])).attentions for text in TEXTS]
    longest = max(map(len, TEXTS))
    padded = {
        "input_ids": [text + [0] * (longest - len(text)) for text in TEXTS],
        "attention_mask": [[1] * len(text) + [0] * (longest - len(text)) for text in TEXTS],
    }
    left = {key: [row[len(text) :] + row[: len(text)] for row, text in zip(rows, TEXTS, strict=True)]
            for key, rows in padded.items()}  # fmt: skip

    with left_as_it_was(model):
        found = [Garage(model).heads(given) for given in (padded, left)]

    for answer in found:
        assert answer.tokens == sum(map(len, TEXTS))
        for layer in range(3):
            for head in range(4):
                patterns = [one[layer][0, head].double().numpy() for one in theirs]
                expected = by_hand(TEXTS, patterns)
                mine = answer.scores[f"attention_{layer}.head_{head}"]
                assert mine == pytest.approx(expected, abs=2e-6, nan_ok=True)


TOKENS = torch.tensor([5, 1, 2, 3, 1, 2, 3])  # 1 2 3 said twice behind a start


def picking(keys: dict[int, int]) -> Tensor:
    """A pattern in which every token looks at one: itself unless said otherwise."""
    weights = torch.eye(len(TOKENS))
    for query, key in keys.items():
        weights[query] = torch.eye(len(TOKENS))[key]
    return weights[None]


PURE = {
    "previous_token": ({q: q - 1 for q in range(1, 7)}, {"previous_token": 1.0, "induction": 0.0, "sink": 1 / 6}),
    "duplicate_token": ({q: q - 3 for q in (4, 5, 6)}, {"duplicate_token": 1.0, "previous_token": 0.0}),
    "induction": ({q: q - 2 for q in (4, 5, 6)}, {"induction": 1.0, "duplicate_token": 0.0}),
    "sink": (dict.fromkeys(range(1, 7), 0), {"sink": 1.0, "previous_token": 1 / 6}),
}  # fmt: skip


@pytest.mark.parametrize("kind", PURE)
def test_a_pure_pattern_scores_one_of_its_kind(kind: str) -> None:
    keys, expected = PURE[kind]
    wanted = Wanted(TOKENS)

    scores = dict(zip(SCORES, (wanted.sums(picking(keys))[0, :AHEAD] / wanted.counts).tolist(), strict=True))

    assert {name: scores[name] for name in expected} == pytest.approx(expected)
    assert scores["entropy"] == 0


def test_an_even_head_has_the_scores_of_chance() -> None:
    wanted = Wanted(TOKENS)

    scores = dict(
        zip(SCORES, (wanted.sums(even(TOKENS, causal=True))[0, :AHEAD] / wanted.counts).tolist(), strict=True)
    )

    backward = [1 / (q + 1) for q in range(7)]
    assert scores["previous_token"] == pytest.approx(np.mean(backward[1:]))
    assert scores["sink"] == pytest.approx(np.mean(backward[1:]))
    assert scores["duplicate_token"] == scores["induction"] == pytest.approx(np.mean(backward[4:]))
    assert scores["entropy"] == pytest.approx(np.mean([math.log(q + 1) for q in range(7)]), abs=1e-6)


def test_a_token_said_twice_in_a_row_is_not_behind_itself() -> None:
    wanted = Wanted(torch.tensor([1, 1]))

    assert wanted.counts.tolist() == [1, 1, 0, 1, 2]


@torch.no_grad()
def built() -> Any:
    """Two layers by hand: a previous-token, a duplicate-token and a sink head, and an induction head above.

    64 dimensions: where a token stands, which it is, and, written by the first head, which stood before it.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    places, letters, before = (
        slice(0, PLACES),
        slice(PLACES, PLACES + LETTERS),
        slice(PLACES + LETTERS, PLACES + 2 * LETTERS),
    )
    size, width = PLACES + 2 * LETTERS, PLACES + 2 * LETTERS
    config = GPT2Config(n_embd=4 * width, n_head=4, n_layer=2, vocab_size=LETTERS, n_positions=PLACES, n_inner=1)
    model = GPT2LMHeadModel(config).eval()
    for parameter in model.parameters():
        parameter.zero_()
    model.transformer.wte.weight[:, letters] = torch.eye(LETTERS)
    model.transformer.wpe.weight[:, places] = torch.eye(PLACES)
    for block in model.transformer.h:
        block.ln_1.weight.fill_(1.0)
    sharp = 10.0
    first, second = (block.attn.c_attn for block in model.transformer.h)
    dim = 4 * width

    def head(number: int, which: int) -> slice:
        return slice(which * dim + number * width, which * dim + number * width + size)

    query, key, value = 0, 1, 2
    shift = torch.zeros(PLACES, PLACES)
    shift[range(1, PLACES), range(PLACES - 1)] = sharp  # place q asks for place q - 1
    first.weight[places, head(0, query)] = torch.nn.functional.pad(shift, (0, size - PLACES))
    first.weight[places, head(0, key)] = torch.nn.functional.pad(torch.eye(PLACES), (0, size - PLACES))
    first.weight[letters, head(0, value)] = torch.nn.functional.pad(torch.eye(LETTERS), (0, size - LETTERS))
    model.transformer.h[0].attn.c_proj.weight[0:LETTERS, before] = 0.2 * torch.eye(LETTERS)
    first.weight[letters, head(1, query)] = torch.nn.functional.pad(sharp * torch.eye(LETTERS), (0, size - LETTERS))
    first.weight[letters, head(1, key)] = torch.nn.functional.pad(torch.eye(LETTERS), (0, size - LETTERS))
    first.bias[2 * width] = 40 * sharp  # the query of head 2 is the same everywhere
    first.weight[0, dim + 2 * width] = 1.0  # and only the first place answers it
    second.weight[letters, head(0, query)] = torch.nn.functional.pad(sharp * torch.eye(LETTERS), (0, size - LETTERS))
    second.weight[before, head(0, key)] = torch.nn.functional.pad(torch.eye(LETTERS), (0, size - LETTERS))
    return model


def test_heads_built_to_be_one_kind_are_called_by_it() -> None:
    found = Garage(built()).heads(length=LENGTH)

    assert found.kinds("attention_0.head_0") == ["previous_token"]
    assert found.scores["attention_0.head_0"]["previous_token"] > 0.99
    assert found.kinds("attention_0.head_1") == ["duplicate_token"]
    assert found.scores["attention_0.head_1"]["duplicate_token"] == pytest.approx(0.5, abs=0.01)  # and half to itself
    assert found.kinds("attention_0.head_2") == ["sink"]
    assert found.scores["attention_0.head_2"]["sink"] > 0.99
    assert found.kinds("attention_1.head_0") == ["induction"]
    assert found.scores["attention_1.head_0"]["induction"] > 0.9
    for head in ("attention_0.head_3", "attention_1.head_1"):  # nothing in them: they look evenly
        assert found.kinds(head) == []
        assert found.scores[head] == pytest.approx(dict(found.chance), abs=1e-5)
    assert found.of_kind("induction") == ["attention_1.head_0"]


def test_without_the_head_below_there_is_no_induction() -> None:
    garage = Garage(built())
    garage.scale("attention_0.head_0", 0)

    found = garage.heads(length=LENGTH)

    assert found.of_kind("induction") == []
    assert found.of_kind("previous_token") == ["attention_0.head_0"]  # its pattern stays


def test_the_recipe_in_force_is_read(llama: Any) -> None:
    garage = Garage(llama)
    untouched = garage.heads(TEXTS[0])
    garage.scale("layer_0", 3)

    tuned = garage.heads(TEXTS[0])

    by_taps = heads(garage.lifted, TEXTS[0], garage.edits.taps(garage.spec))
    assert tuned.scores == by_taps.scores
    assert tuned.scores["attention_0.head_1"] == untouched.scores["attention_0.head_1"]
    assert tuned.scores["attention_2.head_1"] != untouched.scores["attention_2.head_1"]
    assert len(garage.edits) == 1
    assert list(garage.edits) == [Scale("layer_0", 3)]


def test_random_texts_are_said_twice_and_drawn_by_the_seed() -> None:
    garage = Garage("showroom")
    random = torch.get_rng_state()

    texts = [batch.input_ids[0].tolist() for batch in repeated(garage.lifted, 9, seed=1)]

    start = garage.tokenizer.bos_token_id
    assert len(texts) == DRAWS
    for ids in texts:
        assert ids[0] == start
        assert ids[1:10] == ids[10:]
        assert len(set(ids[1:10])) == 9
        assert not set(ids[1:]) & set(garage.tokenizer.all_special_ids)
    assert texts == [batch.input_ids[0].tolist() for batch in repeated(garage.lifted, 9, seed=1)]
    assert texts != [batch.input_ids[0].tolist() for batch in repeated(garage.lifted, 9, seed=2)]
    assert torch.equal(torch.get_rng_state(), random)


def test_what_no_token_can_tell_is_nan() -> None:
    found = Garage(tiny("gpt2")).heads([3, 1, 4])

    for mine in found.scores.values():
        assert math.isnan(mine["duplicate_token"])
        assert math.isnan(mine["induction"])
        assert 0 <= mine["previous_token"] <= 1
    assert "nan" not in repr(found)


def test_in_a_model_that_sees_ahead_chance_is_over_all_tokens() -> None:
    model = build(BERT)

    found = Garage(model).heads([3, 1, 4, 1])

    assert found.chance["previous_token"] == pytest.approx(1 / 4)
    assert found.chance["sink"] == pytest.approx(1 / 4)


def test_an_encoder_and_a_decoder_read_their_own_texts() -> None:
    model = build(T5)
    model.set_attn_implementation("eager")
    garage, given = Garage(model), inputs(model)

    assert garage.heads(given, layers="encoder_attention_*").tokens == given["input_ids"].shape[1]
    assert garage.heads(length=5).tokens == DRAWS * 10
    with pytest.raises(InputError, match="another text"):
        garage.heads(given, layers="cross_attention_0")
    with pytest.raises(InputError, match="different texts"):
        garage.heads(given, layers="encoder_attention_0,attention_0")


def test_what_cannot_be_answered_is_refused(gpt2: Any) -> None:
    garage = Garage(gpt2)

    with pytest.raises(InputError, match="no share"):
        garage.heads(threshold=0)
    with pytest.raises(InputError, match="Ask for 2 to 64"):
        garage.heads(length=65)
    with pytest.raises(InputError, match="made for 64"):
        garage.heads(length=40)
    with pytest.raises(InputError, match="no seed"):
        garage.heads(seed=1 << 70)
    found = garage.heads()
    with pytest.raises(UnknownPartError, match="Nearest"):
        found.kinds("attention_0.head_9")
    with pytest.raises(InputError, match="There are: previous_token"):
        found.of_kind("entropy")
    with pytest.raises(InputError, match="There are: previous_token"):
        found.plot("mean")
    with pytest.raises(UnsupportedModelError, match="no attention"):
        Garage(build(Entry("causal", "mamba", "MambaForCausalLM"))).heads()


def test_it_can_be_drawn_and_told(gpt2: Any) -> None:
    found = Garage(gpt2).heads(threshold=0.01)

    drawn = found.plot("sink").axes.images[0].get_array()
    assert drawn is not None
    assert drawn.tolist()[2][1] == found.scores["attention_2.head_1"]["sink"]
    frame = found.frame()
    assert list(frame.columns) == [*SCORES, "kinds"]
    assert frame.loc["attention_1.head_2", "induction"] == found.scores["attention_1.head_2"]["induction"]
    assert set(frame.loc["attention_1.head_2", "kinds"].split(", ")) <= set(SHARES)

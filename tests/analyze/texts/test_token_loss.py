"""The loss of a text is what transformers answers when it is given labels."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.analyze.judging.exercise import exercises_of
from garage_nb.analyze.judging.on_items import rows_for
from garage_nb.analyze.texts import token_loss
from garage_nb.analyze.texts.prompts import each_prompt
from garage_nb.analyze.texts.token_loss import items
from garage_nb.compose.assembly.heal import heal
from garage_nb.compose.layout.check import check
from garage_nb.compose.sheet import BuildSheet
from garage_nb.core.run import logits
from garage_nb.errors import InputError, NotFiniteError, UnsupportedModelError
from garage_nb.garage import Garage
from garage_nb.inject.blades.fitting.lessons import Lessons, lessons_of
from garage_nb.methods.studies.papers import Papers
from garage_nb.registry.lift import lift
from tests.coverage.zoo import Entry, build
from tests.families import PROMPT, tiny


@torch.no_grad()
def theirs(model: Any, ids: list[int], left_out: tuple[int, ...] = ()) -> float:
    labels = torch.tensor([[-100 if one in left_out else one for one in ids]])
    return float(model(torch.tensor([ids]), labels=labels).loss)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral"])
@pytest.mark.parametrize("chunk", [1, 1 << 26])
def test_it_is_transformers_own(family: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_loss, "CHUNK", chunk)
    model = tiny(family)
    lifted = Garage(model).lifted

    item = items(lifted, each_prompt(PROMPT, lifted))[0]
    found = item.losses(logits(model, item.batch).repeat(3, 1, 1))

    assert item.tokens == 9
    assert (found / 9).tolist() == pytest.approx([theirs(model, PROMPT[0])] * 3, rel=1e-5)


def test_special_tokens_need_not_be_predicted() -> None:
    garage = Garage("showroom")
    ids = garage.tokenizer("The capital of France is Paris.")["input_ids"]
    special = tuple(garage.tokenizer.all_special_ids)
    text = [*ids, special[1], *ids[1:], special[1]]

    item = items(garage.lifted, each_prompt([text], garage.lifted))[0]

    assert item.tokens == 2 * (len(ids) - 1)
    found = float(item.losses(logits(garage.model, item.batch))[0]) / item.tokens
    assert found == pytest.approx(theirs(garage.model, text, special), rel=1e-5)


@pytest.mark.parametrize("left", [True, False])
def test_padding_makes_no_difference(llama: Any, left: bool) -> None:
    lifted = Garage(llama).lifted
    rows, mask = ([0] * 4 + PROMPT[0], [0] * 4 + [1] * 10) if left else (PROMPT[0] + [0] * 4, [1] * 10 + [0] * 4)

    item = items(lifted, each_prompt({"input_ids": [rows], "attention_mask": [mask]}, lifted))[0]

    assert float(item.losses(logits(llama, item.batch))[0]) == pytest.approx(9 * theirs(llama, PROMPT[0]), rel=1e-5)


def test_what_has_no_loss_is_refused(llama: Any) -> None:
    lifted = Garage(llama).lifted

    with pytest.raises(InputError, match="nothing to predict in a prompt of 1 tokens") as caught:
        items(lifted, each_prompt([[5]], lifted))
    assert str(caught.value).count("\n") == 1
    writer = Garage(build(Entry("seq2seq", "t5", "T5ForConditionalGeneration"))).lifted
    with pytest.raises(InputError, match="decoder_input_ids"):
        items(writer, each_prompt([[5, 6, 7]], writer))
    headless = Garage(llama.model).lifted
    with pytest.raises(UnsupportedModelError, match="LlamaModel does not predict the next token"):
        items(headless, each_prompt(PROMPT, headless))
    both_ways = Garage(build(Entry("masked", "bert", "BertForMaskedLM"))).lifted
    with pytest.raises(UnsupportedModelError, match="does not predict the next token"):
        items(both_ways, each_prompt(PROMPT, both_ways))
    ahead = Garage(tiny("bert")).lifted
    with pytest.raises(UnsupportedModelError, match="BertLMHeadModel reads the tokens behind each place"):
        items(ahead, each_prompt(PROMPT, ahead))
    item = items(lifted, each_prompt(PROMPT, lifted))[0]
    with pytest.raises(UnsupportedModelError, match="not one row a token"):
        item.losses(torch.zeros(2, 3, 64))
    with pytest.raises(NotFiniteError, match="NaN"):
        item.losses(torch.full((1, 10, 64), torch.nan))


REFUSING = {
    "items": lambda ahead: rows_for(ahead, exercises_of([("a b", "c")])),
    "lessons": lambda ahead: lessons_of(Lessons(("a b",)), ahead),
    "healing": lambda ahead: heal(check(BuildSheet("a", {"a": ahead})), ["a b"] * 5),
    "claims": lambda ahead: Papers.of(ahead, exercises_of([("a b", "c")])),
}


@pytest.mark.parametrize("loss", REFUSING)
def test_no_loss_is_of_a_token_that_was_seen(loss: str) -> None:
    with pytest.raises(UnsupportedModelError, match="reads the tokens behind each place"):
        REFUSING[loss](lift(tiny("bert")))


def test_of_an_encoder_decoder_what_was_written_is_predicted() -> None:
    model = build(Entry("seq2seq", "t5", "T5ForConditionalGeneration"))
    lifted = Garage(model).lifted
    text, written = [[3, 4, 5, 6]], [[0, 7, 8, 9, 4]]

    item = items(lifted, each_prompt({"input_ids": text, "decoder_input_ids": written}, lifted))[0]

    ids, labels = torch.tensor(written), torch.tensor(written)[:, 1:]
    with torch.no_grad():  # whose labels stand where the token before them does
        expected = model(input_ids=torch.tensor(text), decoder_input_ids=ids[:, :-1], labels=labels).loss
    assert item.tokens == 4
    assert float(item.losses(logits(model, item.batch))[0]) / 4 == pytest.approx(float(expected), rel=1e-5)

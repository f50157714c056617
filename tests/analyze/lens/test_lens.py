"""The logit lens: its last row is the model's own answer, and every other row what the model's own tail makes of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.analyze.lens.answer import Lens
from garage_nb.analyze.lens.lens import lens, lenses
from garage_nb.core import tail as tails
from garage_nb.core.batch import prepare
from garage_nb.core.cancel import cancellable
from garage_nb.core.run import logits
from garage_nb.core.tail import tail, whole
from garage_nb.errors import CancelledError, InputError, NotFiniteError, UnsupportedModelError
from garage_nb.garage import Garage
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from tests.coverage.zoo import Entry, build, inputs
from tests.families import FAMILIES, PROMPT, prompt, tiny
from tests.restored import hooks_on, left_as_it_was

FRANCE = "The capital of France is"
# What comes after the blocks is more than a norm and a head: soft caps, multipliers, a transform, a projection.
ODD = [
    Entry("causal", "gemma2", "Gemma2ForCausalLM"), Entry("causal", "granite", "GraniteForCausalLM"),
    Entry("causal", "cohere", "CohereForCausalLM"), Entry("causal", "opt", "OPTForCausalLM"),
    Entry("causal", "mamba", "MambaForCausalLM"), Entry("masked", "bert", "BertForMaskedLM"),
    Entry("masked", "albert", "AlbertForMaskedLM"), Entry("seq2seq", "t5", "T5ForConditionalGeneration"),
    Entry("seq2seq", "bart", "BartForConditionalGeneration"), Entry("causal", "falcon_h1", "FalconH1ForCausalLM"),
]  # fmt: skip


@torch.no_grad()
def own(model: Any, **given: Tensor) -> Tensor:
    found: Tensor = model(**given, use_cache=False).logits if "decoder_input_ids" in given else model(**given).logits
    return found[0]


@pytest.mark.parametrize("entry", ODD, ids=str)
def test_the_last_row_is_the_models_own_answer(entry: Entry) -> None:
    model = build(entry)
    given = inputs(model)

    bare = own(model, **given)

    found = Garage(model).lens(given, top=3)

    assert torch.equal(own(model, **given), bare)
    assert not hooks_on(model)
    share = bare.double().softmax(-1)
    last = list(found.layers.values())[-1]
    assert torch.equal(last.ids[:, 0], share.argmax(-1))
    assert torch.allclose(last.probabilities, share.topk(3).values, atol=1e-12)
    assert torch.allclose(last.entropy, torch.special.entr(share).sum(-1), atol=1e-9)
    assert not last.divergence.any()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_row_is_the_norm_and_the_head_of_its_hidden_state(family: str) -> None:
    """The tail is the model's own; by hand it is the two modules and, for one family, a soft cap."""
    model = tiny(family)
    with torch.no_grad():
        hidden = model(prompt(), output_hidden_states=True, use_cache=False).hidden_states
        norm = model.get_submodule(spec_of(model).parts["layer_norm_final"].module_path)
        by_hand = [model.get_output_embeddings()(norm(one)) for one in hidden[1:-1]]
    cap = getattr(model.config, "final_logit_softcapping", None)
    by_hand = [torch.tanh(one / cap) * cap if cap else one for one in by_hand]

    with left_as_it_was(model):
        found = Garage(model).lens(PROMPT)

    rows = list(found.layers.values())
    assert len(rows) == len(by_hand) + 1
    for row, expected in zip(rows, by_hand, strict=False):
        share = expected[0].double().softmax(-1)
        assert torch.allclose(row.probabilities[:, 0], share.max(-1).values, atol=1e-6)


@pytest.mark.parametrize("family", ["gpt2", "gemma2"])
def test_the_tail_of_the_last_block_is_the_pass_bit_for_bit(family: str) -> None:
    model = tiny(family)
    batch, chain = prepare(prompt(), model), spec_of(model).chain

    done = whole(model, batch, chain, [], [])

    assert torch.equal(tail(model, batch, chain, [], done), done.logits)
    assert torch.equal(done.logits, logits(model, batch))


@pytest.mark.parametrize("place", ["layer_1", "layer_2", "layer_norm_final", "output_head", "embedding"])
def test_under_a_recipe_the_last_row_is_the_tuned_models_answer(llama: Any, place: str) -> None:
    """Edits in the blocks act once, on the way up; those behind the blocks act on every row."""
    garage = Garage(llama)
    garage.scale(place, -0.5)

    found = garage.lens(PROMPT)

    taps = Recipe((Scale(place, -0.5),)).taps(garage.spec)
    share = logits(llama, prepare(prompt(), llama), taps)[0].double().softmax(-1)
    rows = list(found.layers.values())
    assert torch.allclose(rows[-1].probabilities[:, 0], share.max(-1).values, atol=1e-12)
    untouched = list(Garage(llama).lens(PROMPT).layers.values())
    alike = [torch.equal(a.probabilities, b.probabilities) for a, b in zip(rows, untouched, strict=True)]
    assert alike == {"layer_1": [True, False, False], "layer_2": [True, True, False]}.get(place, [False] * 3)


def test_the_stream_before_the_blocks_can_be_read_too(gpt2: Any) -> None:
    found = Garage(gpt2).lens(PROMPT, layers="layer_0.before,layer_1.mid,-1")

    assert list(found.layers) == ["layer_0.before", "layer_1.mid", "layer_2"]


def test_a_target_is_followed_by_probability_and_rank() -> None:
    garage = Garage("showroom")

    found = garage.lens(FRANCE, target=" Paris", top=1243)

    for row in found.layers.values():
        number = garage.tokenizer(" Paris", add_special_tokens=False)["input_ids"][0]
        places = (row.ids == number).nonzero()[:, 1]
        assert torch.equal(row.rank, places + 1)
        assert torch.allclose(row.target, row.probabilities.gather(1, places[:, None])[:, 0])
    assert found.target == " Paris"
    assert found.best("layer_5")[0][0] == " Paris"
    assert float(found.layers["layer_5"].rank[-1]) == 1


def test_divergence_is_from_the_models_own_answer() -> None:
    garage = Garage("showroom")
    size = garage.spec.vocab_size

    rows = list(garage.lens(FRANCE, top=size).layers.values())

    shares = [torch.zeros(len(row.ids), size).double().scatter(1, row.ids, row.probabilities) for row in rows]
    for row, share in zip(rows, shares, strict=True):
        by_hand = (shares[-1] * (shares[-1].log() - share.log())).sum(-1)
        assert torch.allclose(row.divergence, by_hand, atol=1e-9)


def test_layers_come_one_by_one_from_the_output_down() -> None:
    garage = Garage("showroom")

    seen = [list(found.layers) for found in lenses(garage.lifted, FRANCE)]

    assert [len(names) for names in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[0] == ["layer_5"]
    assert seen[-1] == [f"layer_{i}" for i in range(6)]


def test_it_can_be_cancelled_between_layers() -> None:
    garage = Garage("showroom")

    with cancellable() as cancel:
        steps = lenses(garage.lifted, FRANCE)
        next(steps)
        cancel.ask()
        with pytest.raises(CancelledError):
            next(steps)


def test_the_frame_and_the_table_say_the_same() -> None:
    found = Garage("showroom").lens(FRANCE, top=2)

    frame = found.frame()

    assert frame.shape == (36, 11)
    assert not frame["tuned"].any()
    assert frame.loc[("layer_5", 5), "token_1"] == " Paris"
    assert frame.loc[("layer_5", 5), "probability_1"] == pytest.approx(found.values_of("probability")[-1][-1])
    assert f"{frame.loc[('layer_5', 5), 'probability_1']:.3f} ' Paris'" in repr(found)
    assert repr(found).index("layer_5") < repr(found).index("layer_0")


def test_only_what_the_head_reads_is_taken(gpt2: Any) -> None:
    for layers in ("attention_1", "embedding", "attention_*"):
        with pytest.raises(InputError, match="no state of the stream"):
            Garage(gpt2).lens(PROMPT, layers=layers)


@pytest.mark.parametrize("top", [0, -1, 65])
def test_as_many_tokens_as_there_are_can_be_shown(gpt2: Any, top: int) -> None:
    with pytest.raises(InputError, match="Ask for 1 to 64"):
        Garage(gpt2).lens(PROMPT, top=top)


def test_a_target_of_two_tokens_is_refused() -> None:
    with pytest.raises(InputError, match="tokens"):
        Garage("showroom").lens(FRANCE, target=" Paris is")


def test_a_model_without_a_head_is_refused(gpt2: Any) -> None:
    with pytest.raises(UnsupportedModelError, match="no output head"):
        Garage(gpt2.transformer).lens(PROMPT)


def test_several_prompts_at_once_are_refused(gpt2: Any) -> None:
    with pytest.raises(InputError, match="One prompt"):
        Garage(gpt2).lens([[3, 4], [5, 6]])


def test_a_model_whose_tail_reads_more_than_the_last_block_is_refused(gpt2: Any) -> None:
    """A hook of the user's on the last block would act twice."""
    gpt2.transformer.h[-1].register_forward_hook(lambda module, args, output: output + output.roll(1, -1))

    with pytest.raises(UnsupportedModelError, match="depends on more"):
        Garage(gpt2).lens(PROMPT)


def test_nan_is_refused(gpt2: Any) -> None:
    garage = Garage(gpt2)
    garage.through("layer_norm_final", lambda hidden: hidden * float("nan"))

    with pytest.raises((NotFiniteError, UnsupportedModelError)):
        garage.lens(PROMPT)


def test_more_than_the_budget_is_refused_before_anything_runs(gpt2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("garage_nb.analyze.lens.lens.BUDGET", 1000)
    monkeypatch.setattr(tails, "logits", lambda *given, **options: pytest.fail("it ran"))

    with pytest.raises(InputError, match="shorter prompt"):
        lens(Garage(gpt2).lifted, PROMPT)


def test_ids_need_no_tokenizer(gpt2: Any) -> None:
    found = Garage(gpt2).lens(PROMPT)

    assert isinstance(found, Lens)
    assert found.tokens == tuple(map(str, PROMPT[0]))

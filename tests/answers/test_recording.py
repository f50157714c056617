"""A recording has at every token what a pass over the whole text has there, and a pause changes nothing."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.answers.recording import Recording
from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.core.stats import TAU
from garage_nb.core.tokenwise import STORED, TOKENWISE, edges_with, reduce_each
from garage_nb.core.undisturbed import lock_of
from garage_nb.errors import CancelledError, InputError, NotFiniteError
from garage_nb.garage import Garage
from garage_nb.inject.edits import Through
from garage_nb.inject.recipe import Recipe
from garage_nb.snapshot.capture import SnapshotCapture
from garage_nb.snapshot.trace import Trace
from tests.coverage.zoo import build, entries
from tests.families import FAMILIES, saved, tiny
from tests.restored import hooks_on

FRANCE = "The capital of France is"
STORY = "Once upon a time"
LETTERS = "the model reads"


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tokenizer for models that have none: of letters, digits and spaces."""
    return Garage(saved("gpt2", tmp_path_factory.mktemp("letters"))).tokenizer


@pytest.fixture
def shop() -> Garage:
    """It never ends a text, so that there is enough of one."""
    garage = Garage("showroom")
    garage.model.generation_config.eos_token_id = None
    return garage


def recording(garage: Garage, prompt: str = STORY, layers: str = "all") -> Recording:
    parts = garage.spec.usable(layers)
    return Recording(garage.lifted, prompt, garage.edits, parts, statistic="sparsity", taus=[TAU])


def of_one_pass(garage: Garage, trace: Trace, ids: Any) -> np.ndarray:
    """(parts, tokens, statistics) from the hidden states of one pass over the whole text."""
    taps = garage.edits.taps(garage.spec)
    whole = SnapshotCapture(garage.model).run(ids, trace.parts, under=taps, keep=True)
    kept = [whole[name].hidden for name in trace.parts]
    rows = [hidden.reshape(-1, hidden.shape[-1])[-len(trace.tokens) :] for hidden in kept if hidden is not None]
    return np.stack([reduce_each(one, trace.edges)[:, : len(STORED)].numpy() for one in rows])


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_column_is_that_token_of_a_whole_pass(family: str, edited: bool, letters: Any) -> None:
    garage = Garage(tiny(family, eos_token_id=None), tokenizer=letters)
    if edited:
        garage.scale("layer_1", 1.4)
        garage.scale("attention_0", 0.5)
    taken = recording(garage, LETTERS, "layer_*,attention_1,ffn_2")

    *_, trace = taken.on(garage.lifted, 5)

    prompt = letters(LETTERS)["input_ids"]
    assert trace.tokens == tuple(letters.decode([token]) for token in [*prompt, *taken.written])
    assert (trace.prompted, len(taken.written)) == (len(prompt), 5)
    expected = of_one_pass(garage, trace, [*prompt, *taken.written])
    np.testing.assert_allclose(trace.statistics, expected, rtol=2e-3, atol=1e-4)
    assert trace.changed == ({"layer_1", "attention_0"} if edited else set())


def test_the_text_is_what_generate_writes(shop: Garage) -> None:
    assert shop.watch(STORY, tokens=12).text == shop.generate(STORY, tokens=12).text

    shop.scale("attention_2", 0.3)

    assert shop.watch(STORY, tokens=12).text == shop.generate(STORY, tokens=12).text


def test_a_token_that_ends_the_text_is_not_read() -> None:
    garage = Garage("showroom")
    taken = recording(garage, FRANCE)

    traces = list(taken.on(garage.lifted, 30))

    assert taken.ended
    assert traces[-1].text == " Paris."
    assert traces[-1].tokens[-2:] == (" Paris", ".")
    assert next(taken.on(garage.lifted, 30)) is traces[-1]


def test_it_grows_by_a_token_at_a_time_and_what_was_there_stays(shop: Garage) -> None:
    traces = list(recording(shop).on(shop.lifted, 6))

    prompt = len(shop.tokenizer(STORY)["input_ids"])
    assert [len(trace.tokens) for trace in traces] == [*range(prompt, prompt + 7)]
    for trace in traces:
        assert np.array_equal(trace.values(), traces[-1].values()[:, : len(trace.tokens)])
        assert np.array_equal(trace.values("norm"), traces[-1].values("norm")[:, : len(trace.tokens)])


@pytest.mark.parametrize("pauses", [[1], [2, 3, 9], [1] * 8])
def test_a_text_with_pauses_is_the_text_without(shop: Garage, pauses: list[int]) -> None:
    whole = shop.watch(STORY, tokens=12)
    taken = recording(shop)

    columns = []
    for steps in pauses:
        run = taken.on(shop.lifted, 12)
        for _ in range(steps):
            next(run)
        run.close()
        columns.append(taken.trace.values())
    *_, trace = taken.on(shop.lifted, 12)

    assert (trace.text, trace.tokens) == (whole.text, whole.tokens)
    np.testing.assert_allclose(trace.statistics, whole.statistics, rtol=1e-3, atol=1e-4)
    for before in columns:
        assert np.array_equal(before, trace.values()[:, : before.shape[1]])


def test_while_it_is_paused_the_model_is_anybodys(shop: Garage) -> None:
    hooks, taken = hooks_on(shop.model), recording(shop)
    run = taken.on(shop.lifted, 60)
    next(run)
    run.close()

    free: list[bool] = []

    def try_it() -> None:
        with lock_of(shop.model):
            free.append(True)

    other = threading.Thread(target=try_it)
    other.start()
    other.join()

    assert free == [True]
    assert hooks_on(shop.model) == hooks
    assert shop.generate(STORY, tokens=2).text


def test_between_two_calls_nothing_is_held_of_the_model() -> None:
    garage = Garage("showroom")
    taken, gone = recording(garage), weakref.ref(garage.model)
    run = taken.on(garage.lifted, 9)
    next(run)
    run.close()

    del garage, run
    gc.collect()

    assert gone() is None
    assert taken.trace.tokens


def test_more_tokens_can_be_asked_for_later(shop: Garage) -> None:
    taken = recording(shop)

    lengths = [len([*taken.on(shop.lifted, tokens)][-1].tokens) for tokens in (0, 3, 3, 5)]

    assert [length - lengths[0] for length in lengths] == [0, 3, 3, 5]
    assert taken.trace.text == shop.watch(STORY, tokens=5).text


def test_a_cancelled_run_keeps_what_it_has_and_can_go_on(shop: Garage) -> None:
    taken = recording(shop)

    def read_some() -> None:
        with cancellable() as cancel:
            for seen, _ in enumerate(taken.on(shop.lifted, 40)):
                if seen == 3:
                    cancel.ask()

    with pytest.raises(CancelledError):
        read_some()

    assert len(taken.trace.tokens) >= taken.trace.prompted + 3
    assert [*taken.on(shop.lifted, 40)][-1].text == shop.watch(STORY, tokens=40).text


def test_nobody_waits_for_the_next_token_of_a_cancelled_run(shop: Garage) -> None:
    """The thread that writes is stopped between two blocks, though the one that waits for it cannot act."""
    taken, cancel = recording(shop), Cancel()

    def cancelled_meanwhile(hidden: torch.Tensor) -> torch.Tensor:
        cancel.ask()
        return hidden

    taken.recipe = Recipe((Through("layer_1", cancelled_meanwhile),))
    with cancellable(cancel), pytest.raises(CancelledError):
        list(taken.on(shop.lifted, 5))

    assert taken.trace.tokens == ()


ZOO = {str(entry): entry for entry in entries()}
MODELS: dict[str, Callable[[], Any]] = {
    name: partial(build, ZOO[name]) for name in ("seq2seq-t5", "seq2seq-bart", "masked-bert", "causal-mamba")
}


def writer(name: str, tokenizer: Any) -> Garage:
    """On a model that never ends a text."""
    garage = Garage(MODELS[name](), tokenizer=tokenizer)
    settings = garage.model.generation_config
    settings.eos_token_id = settings.forced_eos_token_id = None
    return garage


@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("seq2seq")])
def test_an_encoder_reads_the_prompt_and_a_decoder_what_it_writes(name: str, letters: Any) -> None:
    garage = writer(name, letters)
    taken = recording(garage, LETTERS, "encoder_layer_*,layer_*")

    run = taken.on(garage.lifted, 6)
    next(run)
    run.close()
    *_, trace = taken.on(garage.lifted, 6)

    prompt = letters(LETTERS)["input_ids"]
    assert trace.prompted == len(prompt) + 1
    assert len(trace.tokens) == len(prompt) + 1 + 6
    encoders = [part.startswith("encoder_") for part in trace.parts]
    norms = trace.values("norm")
    assert np.isfinite(norms[encoders, : len(prompt)]).all()
    assert np.isnan(norms[encoders, len(prompt) :]).all()
    assert np.isfinite(norms[[not one for one in encoders], len(prompt) :]).all()
    assert np.isnan(trace.values()[encoders, len(prompt) :]).all()
    assert "6 written" in repr(trace)


@pytest.mark.parametrize("layers", ["encoder_layer_*", "layer_*"])
def test_one_of_two_stacks_has_its_own_tokens_alone(layers: str, letters: Any) -> None:
    garage = writer("seq2seq-t5", letters)

    trace = garage.watch(LETTERS, tokens=3, layers=layers)

    prompt = len(letters(LETTERS)["input_ids"])
    assert len(trace.tokens) == (prompt if layers.startswith("encoder") else 1 + 3)
    assert np.isfinite(trace.values("norm")).all()


def test_a_model_that_does_not_write_is_watched_while_it_reads(letters: Any) -> None:
    garage = Garage(MODELS["masked-bert"](), tokenizer=letters)

    trace = garage.watch(LETTERS)

    assert trace.tokens == tuple(letters.decode([token]) for token in letters(LETTERS)["input_ids"])
    assert trace.text == ""
    with pytest.raises(InputError, match="does not write a text on"):
        garage.watch(LETTERS, tokens=3)


def test_a_model_without_attention_is_watched_too(letters: Any) -> None:
    garage = writer("causal-mamba", letters)

    trace = garage.watch(LETTERS, tokens=3, layers="mixer_*,layer_*")

    assert trace.values().shape == (6, len(letters(LETTERS)["input_ids"]) + 3)


@pytest.mark.parametrize("layers", ["attention_1.heads,ffn_1.neurons", "attention_0.q", "embedding,layer_norm_final"])
def test_points_inside_have_a_column_for_each_token_too(shop: Garage, layers: str) -> None:
    trace = shop.watch(FRANCE, tokens=1, layers=layers)

    assert np.isfinite(trace.values("norm")).all()


def test_of_a_prompt_the_output_head_works_out_the_last_token_alone(shop: Garage) -> None:
    taken = recording(shop, FRANCE, "layer_5,output_head")
    run = taken.on(shop.lifted, 4)
    next(run)
    next(run)
    run.close()
    *_, trace = taken.on(shop.lifted, 4)

    seen = np.isfinite(trace.values("norm"))
    assert seen[0].all()
    assert seen[1].tolist() == [False] * (trace.prompted - 1) + [True] * 5


def test_what_does_not_read_tokens_one_by_one_is_refused(letters: Any) -> None:
    garage = writer("seq2seq-t5", letters)

    with pytest.raises(InputError, match=r"cross_attention_0.k does not read one token after the other.\n"):
        garage.watch(LETTERS, tokens=2, layers="layer_*,cross_attention_0.k")


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "nothing": ("", {}, "empty"),
    "fewer than none": ("a", {"tokens": -3}, "-3 new tokens"),
    "more than fit": ("a", {"tokens": 5000}, "5000 more.*\n.*at most"),
    "no statistic": ("a", {"statistic": "size"}, "no statistic 'size'"),
    "one of many tokens": ("a", {"statistic": "effective_dimension"}, "no statistic 'effective_dimension'"),
    "no threshold": ("a", {"tau": float("nan")}, "nan standard deviations"),
    "a negative threshold": ("a", {"tau": -0.1}, "-0.1 standard deviations"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_watched_is_refused_in_two_lines(shop: Garage, case: str) -> None:
    prompt, options, message = REFUSED[case]

    with pytest.raises(InputError, match=message) as caught:
        shop.watch(prompt, **options)

    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize("tokens", [0, 3])
def test_the_first_place_that_is_not_finite_is_named(shop: Garage, tokens: int) -> None:
    shop.through("layer_1", lambda hidden: hidden / 0)

    with pytest.raises(NotFiniteError, match=r"layer_1 under '<\|bos\|>'|NaN or infinity"):
        shop.watch(FRANCE, tokens=tokens)


def test_only_the_recipe_it_was_given_is_in_force(shop: Garage) -> None:
    plain = shop.watch(FRANCE, tokens=0).values("norm")
    shop.scale("layer_1", 2)

    tuned = shop.watch(FRANCE, tokens=0).values("norm")

    assert np.array_equal(tuned[0], plain[0])
    np.testing.assert_allclose(tuned[1], 2 * plain[1], rtol=1e-6)
    assert Recipe() != shop.edits


def test_thresholds_are_exact_without_a_run(shop: Garage) -> None:
    trace = shop.watch(FRANCE, tokens=2, tau=0.137)
    ids = [*shop.tokenizer(FRANCE)["input_ids"]]

    whole = SnapshotCapture(shop.model).run([ids], "all", keep=True)
    for row, name in enumerate(trace.parts):
        hidden = whole[name].hidden
        assert hidden is not None
        rows = hidden[0].double()
        for tau in (0.05, 0.137, 1.0):
            exact = (rows.abs() <= tau * rows.std(dim=1, correction=0, keepdim=True)).double().mean(dim=1)
            assert trace.values(tau=tau)[row, : len(ids)] == pytest.approx(exact.tolist(), abs=0.01)
    assert 0.137 in trace.edges
    assert trace.edges == edges_with([0.137])
    assert set(TOKENWISE) <= set(trace.frame().columns)

"""Judging as a whole: models of the showroom beside each other, with everything that is compared worked out again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.analyze.bootstrap import drawn_counts
from garage_nb.analyze.judging.evaluation import Evaluation
from garage_nb.analyze.judging.judge import judge
from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.errors import CancelledError, InputError, UnsupportedModelError
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import lift
from garage_nb.showroom import items
from garage_nb.view.saved import open_result
from tests.analyze.judging.models import donors, showroom
from tests.families import PROMPT, saved, tiny
from tests.restored import left_as_it_was

DOMAINS = ("facts", "arithmetic", "sorting")
TEXTS = {domain: [item.text for item in items(domain, n=8)] for domain in DOMAINS}
EXERCISES = [item.exercise for domain in DOMAINS for item in items(domain, n=25, level="hard")]
JUDGED, FORK, SEED = "showroom-llama-sorting", "showroom-llama", "showroom-llama-seed1"
PLAIN = Recipe()


@pytest.fixture(scope="module")
def found() -> Evaluation:
    donors = {FORK: showroom(FORK), SEED: showroom(SEED)}
    return judge(showroom(JUDGED), donors, PLAIN, texts=TEXTS, exercises=EXERCISES, seed=3)


def test_the_ensemble_of_the_donors_is_an_arm_too(found: Evaluation) -> None:
    assert found.names == (JUDGED, FORK, SEED, "ensemble")
    assert found.notes == {}
    assert found.of("parameters", "ensemble").estimate.value == 2 * found.of("parameters", FORK).estimate.value
    assert [found.of("passes", name).estimate.value for name in found.names] == [1, 1, 1, 2]
    assert found.of("passes", "ensemble").change.value == 0.5


def test_texts_are_redrawn_in_pairs(found: Evaluation) -> None:
    assert found.texts is not None
    at = [place for place, domain in enumerate(found.texts.domains) if domain == "facts"]
    counts = drawn_counts(len(at), 4000, 3).numpy()
    losses, tokens = (each[:, at].numpy() for each in (found.texts.losses, found.texts.tokens))
    means = np.exp((counts @ losses.T) / (counts @ tokens.T))  # (draws, models)

    one = found.of("perplexity", SEED, "facts")

    assert one.n == len(at) == len(set(TEXTS["facts"]))
    assert (one.estimate.low, one.estimate.high) == pytest.approx(np.quantile(means[:, 2], [0.025, 0.975]), rel=1e-9)
    ratios = means[:, 0] / means[:, 2]
    assert (one.change.low, one.change.high) == pytest.approx(np.quantile(ratios, [0.025, 0.975]), rel=1e-9)
    surprise = found.of("surprise", SEED, "facts")
    size = sum(len(text.encode()) for text in set(TEXTS["facts"]))
    assert surprise.estimate.value == pytest.approx(losses[2].sum() / size, rel=1e-9)
    assert surprise.change.value == pytest.approx((losses[0].sum() - losses[2].sum()) / size, rel=1e-9)


def test_items_are_held_against_each_other_one_by_one(found: Evaluation) -> None:
    assert found.items is not None
    right = found.items.right.numpy()
    ps = {}
    for domain in DOMAINS:
        at = [place for place, one in enumerate(found.items.domains) if one == domain]
        won, lost = (right[0] & ~right[1])[at].sum(), (right[1] & ~right[0])[at].sum()
        one = found.of("accuracy", FORK, domain)
        ps[domain] = one.p

        assert one.change.value == pytest.approx((won - lost) / len(at))
        tail = sum(math.comb(won + lost, k) for k in range(min(won, lost) + 1)) / 2 ** (won + lost)
        assert one.p == pytest.approx(min(1, 2 * tail))
        assert one.adjusted >= one.p
    smallest = min(ps, key=lambda domain: ps[domain])
    assert found.of("accuracy", FORK, smallest).adjusted == pytest.approx(min(1, 3 * ps[smallest]))
    assert math.isnan(found.of("accuracy", FORK, "all").adjusted)


def test_what_is_worse_is_said_as_what_is_better(found: Evaluation) -> None:
    assert found.of("accuracy", FORK, "sorting").verdict == "better"
    assert found.of("perplexity", FORK, "arithmetic").verdict == "worse"
    assert "perplexity better in 1, worse in 2" in found.table().caption
    frame = found.frame()
    assert set(frame["verdict"]) == {"", "better", "worse", "undecided"}
    assert frame.loc[("accuracy", JUDGED, "facts"), "change"] != frame.loc[("accuracy", JUDGED, "facts"), "change"]
    assert frame.loc[("perplexity", FORK, "facts"), "compared"] == "ratio"


def test_a_model_beside_itself_is_not_told_apart() -> None:
    lifted = showroom()

    found = judge(lifted, {"same": lifted}, PLAIN, texts=TEXTS, exercises=EXERCISES[:30])

    for one in found.findings:
        if one.model == "same" and one.measure not in ("milliseconds", "parameters", "memory"):
            assert one.verdict in ("", "undecided")
    assert found.of("divergence", "same").estimate.value == 0
    assert found.of("other", "same").estimate.high == 0
    change = found.of("perplexity", "same").change
    assert (change.low, change.value, change.high) == (1, 1, 1)
    assert found.of("accuracy", "same", "facts").p == 1
    assert found.of("memory", "same").change.value == 1


def test_the_recipe_acts_in_the_judged_model_alone() -> None:
    lifted = showroom()
    scaled = Recipe((Scale("layer_2", 0.2),))

    with left_as_it_was(lifted.model):
        plain = judge(lifted, {"untouched": lifted}, PLAIN, texts=TEXTS)
        found = judge(lifted, {"untouched": lifted}, scaled, texts=TEXTS, exercises=EXERCISES[:20])

    assert found.of("perplexity", "untouched").verdict == "worse"
    assert found.of("perplexity", "untouched").estimate == plain.of("perplexity", "untouched").estimate
    assert found.of("divergence", "untouched").estimate.value > 0.1
    assert "1 edit in force in the judged model" in " ".join(repr(found).split())


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral"])
def test_models_are_left_as_they_were(family: str) -> None:
    judged, other = donors(family, 2)

    with left_as_it_was(judged.model), left_as_it_was(other.model):
        judge(judged, {"other": other}, PLAIN, texts=PROMPT)


def test_unlike_tokenizers_are_compared_by_bytes(tmp_path: Path) -> None:
    letters = lift(saved("llama", tmp_path))
    texts = ["the cat sat on a mat", "what is one and one", "sort 3 1 2"]

    found = judge(showroom(), {"letters": letters}, PLAIN, texts=texts, exercises=[("the cat", "sat")])

    assert found.names == ("showroom-llama", "letters")
    assert "vocabularies have 1,243 and 64 entries" in found.notes["letters"]
    assert found.texts is not None
    sizes = [len(text.encode()) for text in texts]
    assert found.texts.bytes[0].tolist() == sizes
    assert found.texts.bytes[1].tolist() == [size - 1 for size in sizes]  # its first token comes of nothing
    assert math.isnan(found.of("perplexity", "letters").change.value)
    assert math.isnan(found.of("divergence", "letters").estimate.value)
    one = found.of("surprise", "letters")
    assert one.change.low < one.change.value < one.change.high
    assert "n/a" in repr(found)
    assert "nats per byte" in repr(found)


def test_one_vocabulary_cut_in_another_way_is_seen() -> None:
    from transformers import AutoTokenizer

    from garage_nb.showroom import path

    silent = AutoTokenizer.from_pretrained(path(SEED), trust_remote_code=False)
    silent._tokenizer.post_processor = None  # no start token
    other = lift(showroom(SEED).model, tokenizer=silent)

    found = judge(
        showroom(), {"other": other, "third": showroom(FORK)}, PLAIN, texts=["The capital of France is Paris."]
    )

    assert found.names == ("showroom-llama", "other", "third")
    assert list(found.notes) == ["other"]
    assert "cut texts differently" in found.notes["other"]


def test_equal_texts_count_once() -> None:
    judged, other = donors("gpt2", 2)
    several = {"a": torch.tensor([[3, 4, 5], [6, 7, 8], [3, 4, 5]]), "b": [3, 4, 5]}

    found = judge(judged, {"other": other}, PLAIN, texts=several)

    assert found.texts is not None
    assert found.texts.domains == ("a", "a", "b")
    assert found.texts.losses[0, 0] == found.texts.losses[0, 2]


def test_names_are_told_apart() -> None:
    lifted = showroom()

    found = judge(lifted, {"showroom-llama": lifted, "ensemble": lifted}, PLAIN, texts="sort: 3 1 >")

    assert found.names == ("showroom-llama, judged", "showroom-llama", "ensemble", "ensemble, of logits")


def test_one_text_has_no_interval() -> None:
    found = judge(showroom(), {"fork": showroom(JUDGED)}, PLAIN, texts="sort: 3 1 2 > 1 2 3.")

    one = found.of("perplexity", "fork")
    assert one.n == 1
    assert math.isnan(one.estimate.low)
    assert one.verdict == "undecided"


def test_what_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    lifted, letters = showroom(), lift(saved("gpt2", tmp_path))
    headless = lift(tiny("llama").model)

    with pytest.raises(InputError, match="Give texts, or items"):
        judge(lifted, {"other": lifted}, PLAIN)
    with pytest.raises(InputError, match="nothing to judge by"):
        judge(lifted, {}, PLAIN, texts="a b")
    with pytest.raises(UnsupportedModelError, match="does not predict the next token"):
        judge(lifted, {"headless": headless}, PLAIN, texts="a b")
    with pytest.raises(InputError, match="Token ids mean something else to letters"):
        judge(lifted, {"letters": letters}, PLAIN, texts=[3, 4, 5])
    with pytest.raises(InputError, match="called 'all'"):
        judge(lifted, {"other": lifted}, PLAIN, texts={"all": ["a b"], "b": ["a b"]})


def test_it_can_be_cancelled() -> None:
    cancel = Cancel()
    cancel.ask()
    lifted = showroom()

    with left_as_it_was(lifted.model), cancellable(cancel):
        for asked in ({"texts": TEXTS}, {"exercises": EXERCISES}):
            with pytest.raises(CancelledError):
                judge(lifted, {"same": lifted}, PLAIN, **asked)  # type: ignore[arg-type]


def test_it_is_the_same_again_and_no_random_number_of_torchs_is_drawn(found: Evaluation) -> None:
    before = torch.get_rng_state()

    again = judge(
        showroom(JUDGED), {FORK: showroom(FORK), SEED: showroom(SEED)}, PLAIN, texts=TEXTS, exercises=EXERCISES, seed=3
    )

    assert torch.equal(torch.get_rng_state(), before)
    same = [frame.drop("milliseconds", level="measure") for frame in (found.frame(), again.frame())]
    assert same[0].equals(same[1])


def test_it_is_kept_in_a_file(found: Evaluation, tmp_path: Path) -> None:
    opened = open_result(found.save(tmp_path / "judged.csv"))

    assert opened.frame().equals(found.frame())
    assert opened.origin.kind == "Evaluation"


def test_every_measure_is_drawn(found: Evaluation) -> None:
    for measure in found.measures:
        plot = found.plot(measure)
        assert plot.axes.get_ylabel()
        assert len(plot.axes.lines) == len({one.model for one in found.findings if one.measure == measure})
    drawn: Any = found.plot().axes.lines[0]
    domains = ["all", *DOMAINS]
    assert drawn.get_ydata().tolist() == [found.of("accuracy", JUDGED, domain).estimate.value for domain in domains]
    assert "accuracy" in found.plot().alt


def test_what_was_not_measured_is_refused(found: Evaluation) -> None:
    for asked in (("speed", FORK), ("accuracy", "nobody"), ("accuracy", FORK, "law"), ("divergence", JUDGED)):
        with pytest.raises(InputError) as caught:
            found.of(*asked)
        assert caught.value.hint
    with pytest.raises(InputError, match="no measure 'speed'"):
        found.plot("speed")

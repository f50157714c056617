"""The stitching matrix: every cell is a loop over texts on a model made by hand, controls included."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.analyze.bootstrap import drawn_counts
from garage_nb.compose.combining.variants import with_layers
from garage_nb.compose.layout.donors import opened
from garage_nb.core.batch import prepare
from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.core.run import logits as run
from garage_nb.errors import BuildError, CancelledError, InputError, UnknownPartError
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.methods.stitching.cells import CONTROLS, NOTHING, OWN, RANDOM
from garage_nb.methods.stitching.matrix import StitchingMatrix, is_better
from garage_nb.methods.stitching.places import without
from garage_nb.methods.stitching.study import stitching
from garage_nb.registry.lift import Lifted, lift
from garage_nb.showroom import items
from tests.analyze.judging.models import showroom
from tests.analyze.judging.test_paper import TEXTS, losses_of, padded
from tests.compose.bench import logits, model, naive_swap, pair
from tests.families import PROMPT, prompt, tiny
from tests.restored import left_as_it_was

PLAIN = Recipe()
DRAWN = [item for domain in ("facts", "sorting", "recall") for item in items(domain, n=8)]
READ = [item.text for item in DRAWN]
ASKED = [item.exercise for item in DRAWN]
FITTED = tuple(item.text for domain in ("facts", "sorting", "recall") for item in items(domain, "train", n=12))


@cache
def found() -> StitchingMatrix:
    return stitching(
        showroom(),
        showroom("showroom-llama-seed1"),
        PLAIN,
        "ffn_0,ffn_1,ffn_2",
        texts=READ,
        exercises=ASKED[::2],
        seed=2,
    )


def swapped(a: Any, place: str, b: Any, name: str) -> Any:
    """By hand."""
    return naive_swap(a.model, (a.spec.parts[place].module_path, b.model, b.spec.parts[name].module_path))


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "gemma2"])
@pytest.mark.parametrize("kind", ["attention", "ffn", "layer"])
def test_a_cell_is_the_loss_of_a_model_made_by_hand(family: str, kind: str) -> None:
    donors = pair(family)
    a, b = donors["a"], donors["b"]

    with left_as_it_was(a.model), left_as_it_was(b.model):
        matrix = stitching(a, b, PLAIN, f"{kind}_*", texts=padded(TEXTS))

    tokens = sum(len(text) - 1 for text in TEXTS)
    own = sum(losses_of(a.model, TEXTS)) / tokens
    assert matrix.of("loss", "as it is", "").value == pytest.approx(own, rel=1e-5)
    assert matrix.own_is_equal
    assert len(matrix.marks) + len(matrix.reasons) == 4 * 3 + 3 * 3
    sees_alike = family != "gemma2" or kind == "ffn"
    for place, name in ((0, 2), (1, 1), (2, 0)):
        if sees_alike:
            made = swapped(a, f"{kind}_{place}", b, f"{kind}_{name}")
            loss = sum(losses_of(made, TEXTS)) / tokens
            cell = (f"{kind}_{name}", f"{kind}_{place}")
            assert matrix.of("loss", *cell).value == pytest.approx(loss, rel=2e-5)
            assert matrix.of("loss change", *cell).value == pytest.approx(loss - own, abs=1e-4)


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "gemma2", "bloom", "opt"])
def test_nothing_at_a_layer_is_the_model_without_it(family: str) -> None:
    """Bit for bit at every token that is none of the padding, which edits leave alone."""
    lifted = lift(model(family))
    batch = prepare({**padded(TEXTS)}, lifted.model)

    for layer in range(3):
        passed = run(lifted.model, batch, without(lifted.spec, f"layer_{layer}"))
        left = with_layers(opened("base", lifted), [other for other in range(3) if other != layer])
        real = batch.attention_mask.bool()
        assert torch.equal(passed[real], run(left, batch)[real])


def test_nothing_at_a_half_adds_nothing() -> None:
    lifted = lift(model("llama"))
    silent = naive_swap(lifted.model)
    with torch.no_grad():
        silent.model.layers[1].mlp.down_proj.weight.zero_()

    passed = run(lifted.model, prepare(PROMPT, lifted.model), without(lifted.spec, "ffn_1"))

    assert torch.equal(passed, logits(silent))


def test_losses_are_redrawn_over_texts_in_pairs() -> None:
    matrix = found()
    mine, other = matrix.untouched.losses.numpy(), matrix.marks["ffn_1", "ffn_2"].losses.numpy()
    tokens = matrix.paper.tokens.numpy()
    counts = drawn_counts(len(tokens), 4000, 2).numpy()
    draws = counts @ (other - mine) / (counts @ tokens)

    one = matrix.of("loss change", "ffn_1", "ffn_2")

    assert one.value == pytest.approx((other.sum() - mine.sum()) / tokens.sum(), rel=1e-9)
    assert (one.low, one.high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), rel=1e-9)
    assert is_better("loss change", replace(one, high=-0.1))
    assert not is_better("loss change", one)


def test_accuracy_counts_items() -> None:
    matrix = found()
    right = matrix.marks["ffn_0", "ffn_1"].right
    before = matrix.untouched.right

    assert matrix.of("accuracy", "ffn_0", "ffn_1").value == pytest.approx(float(right.mean()))
    change = matrix.of("accuracy change", "ffn_0", "ffn_1")
    assert change.value == pytest.approx(float((right - before).mean()))
    assert change.low < change.value < change.high
    assert matrix.of("accuracy", "as it is", "").value == float(before.mean())


def test_controls_stand_at_every_place() -> None:
    matrix = found()

    assert matrix.rows[:3] == CONTROLS
    assert matrix.own_is_equal
    for place in matrix.places:
        assert matrix.of("loss change", OWN, place).value == 0
        assert matrix.of("loss change", NOTHING, place).value != 0
        assert matrix.of("loss change", RANDOM, place).value != 0
    worst = max(matrix.of("loss", name, "ffn_0").value for name in matrix.names)
    assert matrix.of("loss", OWN, "ffn_0").value < worst


def test_parts_of_the_model_itself_change_places() -> None:
    lifted = showroom()

    matrix = stitching(lifted, lifted, PLAIN, "1,3", texts=READ)

    assert matrix.names == matrix.places == ("layer_1", "layer_3")
    assert matrix.of("loss change", "layer_1", "layer_1").value == 0
    assert matrix.of("loss change", "layer_3", "layer_1").value > 0
    assert "itself" in repr(matrix)


def test_a_recipe_is_in_force_in_every_cell() -> None:
    """Written into the weights by hand it gives the same."""
    donors = pair("llama")
    a, b = donors["a"], donors["b"]
    recipe = Recipe() + Scale("attention_0", 0.5)
    folded = naive_swap(a.model)
    with torch.no_grad():
        folded.model.layers[0].self_attn.o_proj.weight *= 0.5

    edited = stitching(a, b, recipe, "ffn_*", texts=padded(TEXTS))
    written = stitching(lift(folded), b, PLAIN, "ffn_*", texts=padded(TEXTS))

    assert edited.edits == 1
    for pair_, mine in written.marks.items():
        if pair_[0] != RANDOM:
            assert edited.marks[pair_].losses.tolist() == pytest.approx(mine.losses.tolist(), rel=1e-5)
    assert "edits in force" in repr(edited)


def test_adapters_join_what_does_not_fit() -> None:
    host, guest = showroom("showroom-gpt2"), showroom()

    matrix = stitching(host, guest, PLAIN, "ffn_1", adapter="fit", texts=READ, fitted_on=FITTED)

    assert not matrix.reasons
    fitted, drawn = (matrix.of("loss change", name, "ffn_1").value for name in ("ffn_1", RANDOM))
    assert fitted < drawn
    assert "fitted by least squares" in repr(matrix)


def test_a_pair_that_does_not_fit_is_not_there_with_its_reason() -> None:
    """Layers of two kinds in one model: dense and of experts."""
    made = model("qwen3_moe", mlp_only_layers=[0])
    lifted = lift(made)

    matrix = stitching(lifted, lifted, PLAIN, "ffn_*", texts=padded(TEXTS))

    assert set(matrix.reasons) == {(f"ffn_{a}", f"ffn_{b}") for a in range(3) for b in range(3) if (a == 0) != (b == 0)}
    assert "does not fit in the place of" in matrix.reasons["ffn_0", "ffn_1"]
    assert math.isnan(matrix.of("loss", "ffn_0", "ffn_1").value)
    assert matrix.of("loss change", "ffn_0", "ffn_0").value == 0
    assert "n/a" in repr(matrix)
    assert "ffn_1 at ffn_0 and 1 more: " in " ".join(repr(matrix).split())
    assert matrix.frame().loc[("ffn_0", "ffn_1"), "reason"] == matrix.reasons["ffn_0", "ffn_1"]


def test_where_nothing_fits_it_is_refused() -> None:
    with pytest.raises(BuildError, match=r"No part of .* fits in .*: neurons") as caught:
        stitching(lift(model("gpt2")), lift(model("llama")), PLAIN, "ffn_*", texts=padded(TEXTS))

    assert "--adapter fit" in caught.value.hint


@pytest.mark.parametrize(
    ("parts", "error", "said"),
    [
        ("layer_norm_*", InputError, "matrix of layer_norm was asked for"),
        ("attention_1,ffn_1", InputError, "matrix of attention, ffn was asked for"),
        ("ffn_0.neuron_3", BuildError, "inside ffn_0"),
        ("layer_9", UnknownPartError, "layer_9"),
        ("embedding", InputError, "matrix of embedding"),
    ],
)
def test_other_parts_are_refused(parts: str, error: type[Exception], said: str) -> None:
    donors = pair("llama")

    with pytest.raises(error, match=said):
        stitching(donors["a"], donors["b"], PLAIN, parts, texts=padded(TEXTS))


def test_texts_that_adapters_know_are_refused() -> None:
    host, guest = showroom("showroom-gpt2"), showroom()

    with pytest.raises(InputError, match=r"1 of .* texts are among those that adapters are fitted on"):
        stitching(host, guest, PLAIN, "ffn_1", adapter="fit", texts=READ, fitted_on=(*FITTED, READ[3]))
    with pytest.raises(InputError, match=r"1 items with an answer are among those"):
        stitching(host, guest, PLAIN, "ffn_1", adapter="fit", exercises=ASKED, fitted_on=(*FITTED, READ[3]))
    with pytest.raises(InputError, match="no texts to fit adapters on"):
        stitching(host, guest, PLAIN, "ffn_1", adapter="fit", texts=READ)


def test_other_tokens_are_refused() -> None:
    other: Lifted = lift(tiny("llama", vocab_size=60))

    with pytest.raises(InputError, match="reads other tokens: their vocabularies"):
        stitching(lift(tiny("llama")), other, PLAIN, "layer_*", texts=padded(TEXTS))


def test_the_same_seed_gives_the_same_matrix_and_no_global_numbers_are_drawn() -> None:
    donors = pair("llama")
    state = torch.get_rng_state()

    first, second, other = (
        stitching(donors["a"], donors["b"], PLAIN, "layer_1", texts=padded(TEXTS), seed=seed) for seed in (5, 5, 6)
    )

    assert torch.equal(torch.get_rng_state(), state)
    assert repr(first) == repr(second)
    assert first.frame().equals(second.frame())
    assert first.of("loss", RANDOM, "layer_1").value != other.of("loss", RANDOM, "layer_1").value
    assert first.of("loss", "layer_1", "layer_1").value == other.of("loss", "layer_1", "layer_1").value


def test_a_cancelled_study_leaves_the_models_as_they_were() -> None:
    donors = pair("llama")
    cancel = Cancel()
    cancel.ask()

    with left_as_it_was(donors["a"].model), cancellable(cancel), pytest.raises(CancelledError):
        stitching(donors["a"], donors["b"], PLAIN, "layer_*", texts=padded(TEXTS))

    assert torch.equal(logits(donors["a"].model), logits(donors["a"].model, prompt()))


def test_in_half_the_precision() -> None:
    a, b = (lift(name, dtype="bfloat16") for name in ("showroom-llama", "showroom-llama-seed1"))

    matrix = stitching(a, b, PLAIN, "1,2", texts=READ[:6])

    assert a.model.dtype == torch.bfloat16
    assert matrix.own_is_equal
    assert not matrix.reasons


def test_a_model_whose_angles_were_cast_is_told_from_what_its_class_makes() -> None:
    """A hybrid computes them in full precision, as a model does that is loaded in half of it."""
    cast = lift(model("llama").to(torch.bfloat16))

    matrix = stitching(cast, cast, PLAIN, "layer_1", texts=padded(TEXTS))

    assert not matrix.own_is_equal
    assert "not the model bit for bit, at most 0.00" in repr(matrix)


def test_how_it_looks() -> None:
    matrix = found()
    frame = matrix.frame()

    assert list(frame.index.names) == ["part", "place"]
    assert len(frame) == 1 + (len(matrix.names) + 3) * len(matrix.places)
    assert frame.loc[("as it is", ""), "loss"] == matrix.of("loss", "as it is", "").value
    assert "the model bit for bit, at every place" in repr(matrix)
    assert all(len(line) <= 100 for line in repr(matrix).split("\n"))
    part, place, change = matrix.best(1)[0]
    assert change == min(matrix.of("loss change", *pair_).value for pair_ in matrix.marks if pair_[0] in matrix.names)
    assert matrix.of("loss change", part, place).value == change
    drawn = matrix.plot("accuracy").axes
    assert [label.get_text() for label in drawn.get_yticklabels()] == list(matrix.rows)
    assert len([one for one in drawn.patches if one.get_linewidth() > 0]) == 2 * len(matrix.names)
    with pytest.raises(InputError, match="no measure 'perplexity'"):
        matrix.plot("perplexity")


def test_colours_are_not_used_up_by_a_place_that_bears_no_other_part() -> None:
    matrix = found()
    changes = {cell: matrix.of("loss change", *cell).value for cell in matrix.marks}
    usual = [cell for cell, change in changes.items() if cell[1] != "ffn_0" or change == 0]
    others = [cell for cell in changes if cell not in usual]

    by_change, by_loss = (matrix.plot(measure).axes.images[0] for measure in ("loss change", "loss"))

    assert min(changes[cell] for cell in others) > 100 * max(changes[cell] for cell in usual)
    assert by_change.norm.vmax == max(changes[cell] for cell in usual)
    assert by_loss.norm.vmax == max(matrix.of("loss", *cell).value for cell in usual)
    assert by_change.colorbar.extend == by_loss.colorbar.extend == "max"


def test_what_is_no_cell_is_refused() -> None:
    matrix = found()

    with pytest.raises(InputError, match="no 'ffn_9' at 'ffn_0'"):
        matrix.of("loss", "ffn_9", "ffn_0")


def test_by_items_alone() -> None:
    matrix = stitching(showroom(), showroom(), PLAIN, "3,4", exercises=ASKED)

    assert matrix.measures == ["accuracy", "accuracy change"]
    assert "share of items" in matrix.plot().alt
    assert matrix.best(1)[0][2] >= 0
    assert "nats" not in repr(matrix)

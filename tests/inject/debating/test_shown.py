"""What a debate tells: likeness layer by layer, the recipe in force, tables and frames, gates in files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from garage_nb.core.batch import prepare
from garage_nb.core.run import logits
from garage_nb.errors import EditError, GateFileError, InputError
from garage_nb.inject.blades.card import ModelCard
from garage_nb.inject.blades.fitting.training import Training
from garage_nb.inject.debating.debated import Debated, debated, unfolding
from garage_nb.inject.debating.debating import NOISE, Debating
from garage_nb.inject.debating.files import load_gate, save_gate
from garage_nb.inject.debating.fitted import FittedGate, gate_given
from garage_nb.inject.debating.fitting import fit_gate
from garage_nb.inject.debating.gate import Gate, untrained
from garage_nb.inject.debating.held import NO_EDITS, Held, held
from garage_nb.inject.edits import Noise, Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import lift
from tests.families import prompt, tiny
from tests.inject.blades.making import LEARNED, LESSONS, lifted
from tests.inject.debating import naive
from tests.restored import left_as_it_was

CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}
HOW = Debating("layer_0", 2, strength=0.3, seeds=(0, 1, 2))
QUICK = Training(steps=2, rate=0.01, batch=2)


def ran(family: str, how: Debating = HOW, recipe: Recipe = NO_EDITS, given: Any = None) -> Held:
    live = lifted(family)
    return held(live.model, live.spec, prepare(prompt() if given is None else given, live.model), how, recipe)


def told(family: str, how: Debating = HOW, steps: int = 2) -> Debated:
    return debated(replace(lifted(family), tokenizer=None), prompt(), how, steps=steps)


@pytest.mark.parametrize("family", LEARNED)
def test_likeness_is_the_cosine_with_the_untouched_stream_at_every_layer(family: str) -> None:
    live, ids = lifted(family), prompt()

    found = ran(family)

    assert found.layers == ("layer_0", "layer_1", "layer_2")
    for layer in range(3):
        _, own = naive.run(live, {}, layer, input_ids=ids)
        for number, seed in enumerate(HOW.seeds):
            view = naive.view("dropout", 0.3, seed, torch.ones_like(ids))
            _, other = naive.run(live, {0: view}, layer, input_ids=ids)
            cosines = torch.cosine_similarity(own, other, dim=-1)
            np.testing.assert_allclose(found.likeness[layer, number], cosines, rtol=1e-4, atol=1e-5)


def test_where_nothing_runs_likeness_is_that_of_the_views() -> None:
    found = ran("llama", replace(HOW, blocks=0))

    _, own = naive.run(lifted("llama"), {}, 0, input_ids=prompt())
    view = naive.view("dropout", 0.3, 1, torch.ones_like(prompt()))
    assert found.likeness.shape == (1, 3, 1, 10)
    np.testing.assert_allclose(found.likeness[0, 1], torch.cosine_similarity(own, view(own), dim=-1), atol=1e-5)


@pytest.mark.parametrize("family", LEARNED)
def test_the_recipe_in_force_acts_in_every_stream(family: str) -> None:
    """A scaled block before the parting, at it, and behind it, as hooks of torch do it by hand."""
    live = lifted(family)
    recipe = Recipe((Scale("layer_0", 0.5), Scale("layer_1", -0.7)))
    how = Debating("layer_0", 1, strength=0.3)

    with left_as_it_was(live.model):
        found = ran(family, how, recipe)

    views = [naive.view("dropout", 0.3, seed, torch.ones_like(prompt())) for seed in how.seeds]
    changes = [{0: lambda hidden, view=view: view(0.5 * hidden), 1: lambda hidden: -0.7 * hidden} for view in views]
    each = [naive.run(live, change, 1, input_ids=prompt()) for change in changes]
    met = torch.stack([hidden for _, hidden in each]).mean(dim=0)
    ours, _ = naive.run(live, {1: lambda hidden: met}, 1, input_ids=prompt())
    torch.testing.assert_close(found.reconciled, ours, **CLOSE)
    torch.testing.assert_close(found.perspectives, torch.stack([said for said, _ in each]), **CLOSE)


def test_an_edit_by_chance_draws_the_same_in_every_stream() -> None:
    live, recipe = lifted("llama"), Recipe((Noise("layer_0", 0.5, seed=3),))

    found = ran("llama", replace(HOW, strength=0.0), recipe)

    bare = logits(live.model, prepare(prompt(), live.model), recipe.taps(live.spec))
    for one in (found.reconciled, *found.perspectives):
        torch.testing.assert_close(one, bare, **CLOSE)


def test_a_pass_is_summed_up_over_real_tokens_only() -> None:
    given = {"input_ids": [[7, 8, 9, 2, 2], [3, 1, 4, 1, 5]], "attention_mask": [[1, 1, 1, 0, 0], [1] * 5]}

    found = ran("llama", replace(HOW, seeds=(0, 1)), given=given)

    real = np.array(given["attention_mask"], bool)
    frame = found.frame()
    assert list(frame.index) == ["0,1"]
    assert frame["cosine"].iloc[0] == pytest.approx(found.cosines[0].numpy()[real].mean())
    assert frame["KL first ‖ second"].iloc[0] == pytest.approx(found.divergences[0, 1].numpy()[real].mean())
    assert frame["KL second ‖ first"].iloc[0] == pytest.approx(found.divergences[1, 0].numpy()[real].mean())
    same = (found.perspectives[0].argmax(-1) == found.perspectives[1].argmax(-1)).numpy()[real].mean()
    assert frame["likeliest the same"].iloc[0] == pytest.approx(same)
    assert "means over 8 tokens" in repr(found)


def test_a_step_keeps_the_likeliest_of_every_stream() -> None:
    live, found = lifted("gpt2"), told("gpt2", steps=1)

    once = ran("gpt2")

    step = found.steps[0]
    for said, row in zip((step.reconciled, *step.perspectives), (once.reconciled, *once.perspectives), strict=True):
        shares, ids = row[0, -1].double().softmax(-1).topk(5)
        assert said.ids == tuple(ids.tolist())
        assert said.shares == pytest.approx(tuple(shares.tolist()), rel=1e-3)
        assert said.spelt == tuple(map(str, said.ids))
    assert np.allclose(step.likeness, once.likeness[:, :, 0, -1], atol=1e-5)
    assert len(live.spec.chain) == 3


def test_the_frame_holds_what_the_table_has_no_room_for() -> None:
    found = told("llama")

    frame = found.frame()

    assert list(frame.index) == [0, 1]
    for number, step in enumerate(found.steps):
        row = frame.iloc[number]
        assert row["written"] == str(step.id)
        assert row["agreed"] == step.agreed
        assert [row[f"perspective {one}"] for one in range(3)] == list(map(str, step.ids))
        assert [row[f"weight {one}"] for one in range(3)] == list(step.shares)
        assert [row[f"cosine {pair}"] for pair in ("0,1", "0,2", "1,2")] == list(step.cosines)
        ways = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]
        assert [row[f"KL {a} ‖ {b}"] for a, b in ways] == [step.apart[a][b] for a, b in ways]
        cosine = found.picture().columns[-2].values[number]
        assert cosine == pytest.approx(sum(step.cosines) / 3)


@pytest.mark.parametrize(("measure", "lines"), [("cosine", 3), ("divergence", 6), ("weight", 3)])
def test_the_plot_is_of_the_frame(measure: str, lines: int) -> None:
    found = told("llama")

    drawn = found.plot(measure).axes.get_lines()

    assert len(drawn) == lines
    column = {"cosine": "cosine 0,1", "divergence": "KL 0 ‖ 1", "weight": "weight 0"}[measure]
    assert list(drawn[0].get_ydata()) == list(found.frame()[column])
    with pytest.raises(InputError, match="There is no measure 'anger'"):
        found.plot("anger")


def test_it_says_that_merging_in_place_is_noise() -> None:
    assert NOISE in repr(told("llama", replace(HOW, blocks=0))).replace("\n", " ")
    assert NOISE in ran("llama", replace(HOW, blocks=0)).picture().html()
    assert "noise" not in repr(told("llama"))


def test_what_unfolds_grows_to_the_whole() -> None:
    live = replace(lifted("llama"), tokenizer=None)

    seen = list(unfolding(live, prompt(), HOW, steps=3))

    assert [len(one.steps) for one in seen] == [1, 2, 3]
    assert seen[-1] == debated(live, prompt(), HOW, steps=3)


@pytest.mark.parametrize("family", ["gemma2", "qwen3_moe", "gpt_neox", "opt", "bloom", "falcon"])
def test_other_families_debate_too(family: str) -> None:
    live = lift(tiny(family))

    with left_as_it_was(live.model):
        found = debated(replace(live, tokenizer=None), prompt(), HOW, steps=2)

    assert len(found.steps) == 2
    assert all(0 < share < 1 for step in found.steps for share in step.shares)


def gate_in(folder: Path) -> tuple[FittedGate, Path]:
    live, how = lifted("llama"), Debating("layer_1", 1, reconciliation="gated")
    fitted = fit_gate(live, how, LESSONS, QUICK)
    assert fitted.gate is not None
    place = save_gate(fitted.gate, folder / "gate")
    return FittedGate(model_id="tiny", debating=fitted, saved=place), place


def test_a_gate_comes_back_from_its_folder_to_the_bit(tmp_path: Path) -> None:
    kept, place = gate_in(tmp_path)

    for given in (place, place.parent, str(place.parent), kept, kept.gate):
        found = gate_given(given)
        assert found is not None
        assert torch.equal(found.weight, kept.gate.weight)
        assert torch.equal(found.bias, kept.gate.bias)
        assert (found.fit, found.debate, found.model) == (kept.gate.fit, kept.gate.debate, kept.gate.model)
    assert kept.gate.model == ModelCard.of(lifted("llama"))
    assert kept.picture().facts["of model"] == str(kept.gate.model)
    assert Debating("layer_1", 1, reconciliation="gated", gate=load_gate(place)).is_own_gate
    assert gate_given(None) is None
    assert f"{len(LESSONS.prompts)} texts" in repr(kept)
    assert kept.picture().facts["saved to"] == str(place)
    assert kept.frame()["loss"].iloc[0] == kept.fit.loss


def test_a_gate_is_fitted_under_the_recipe() -> None:
    live, how = lifted("llama"), Debating("layer_0", 1, "projection", "gated", 0.8)

    plain = fit_gate(live, how, LESSONS, QUICK).gate
    scaled = fit_gate(live, how, LESSONS, QUICK, Recipe((Scale("layer_2", -1),))).gate

    assert plain is not None
    assert scaled is not None
    assert plain.fit is not None
    assert scaled.fit is not None
    assert plain.fit.loss != scaled.fit.loss


def tampered(place: Path, how: str) -> None:
    tensors = next(place.parent.glob("*.safetensors"))
    record = json.loads(place.read_text())
    if how == "gone":
        place.unlink()
    elif how == "cut":
        place.write_bytes(place.read_bytes()[:-20])
    elif how == "model":
        record["gate"]["model"]["weights"] = "0" * 32
        place.write_text(json.dumps(record))
    elif how == "loss":
        record["gate"]["fit"]["loss"] = 0.0
        place.write_text(json.dumps(record))
    elif how in ("older", "newer"):
        record["version"] = {"older": 1, "newer": 9}[how]
        place.write_text(json.dumps(record))
    elif how == "kind":
        record["format"] = "garage_nb blade"
        place.write_text(json.dumps(record))
    else:
        weights = load_file(tensors)
        save_file({name: one + 1 for name, one in weights.items()}, tensors)


@pytest.mark.parametrize("how", ["gone", "cut", "loss", "model", "older", "newer", "kind", "weights"])
def test_a_gate_that_is_not_whole_is_refused(tmp_path: Path, how: str) -> None:
    _, place = gate_in(tmp_path)
    tampered(place, how)

    with pytest.raises(GateFileError) as caught:
        load_gate(place.parent)

    assert str(caught.value).count("\n") == 1


def test_where_nothing_can_be_written_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here already")

    with pytest.raises(GateFileError, match="cannot be written"):
        save_gate(untrained(2, 8, 0), tmp_path / "file")

    assert (tmp_path / "file").read_text() == "here already"
    with pytest.raises(EditError, match="A int is no gate"):
        gate_given(3)


def test_a_gate_without_a_fit_is_kept_as_one(tmp_path: Path) -> None:
    found = load_gate(save_gate(Gate(torch.zeros(2, 8), torch.zeros(2)), tmp_path))

    assert (found.fit, found.model) == (None, None)

"""The study of debates: each arm against a loop by hand, marks against their formulas, refusals, and the table."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.analyze.debates.arms import Arm, Asked, arms, matched
from garage_nb.analyze.debates.debates import Debates
from garage_nb.analyze.debates.reply import Reply, by_exercise, measured, reply, voted
from garage_nb.analyze.debates.study import debates
from garage_nb.analyze.judging.contest import Contest
from garage_nb.analyze.judging.exercise import exercises_of
from garage_nb.analyze.judging.on_items import rows_for
from garage_nb.analyze.judging.score import Score
from garage_nb.analyze.judging.sheets import Sheet, sheets
from garage_nb.core.batch import prepare
from garage_nb.errors import EditError, InputError, NotFiniteError
from garage_nb.inject.blades.card import FitCard
from garage_nb.inject.debating.debating import NOISE, Debating
from garage_nb.inject.debating.gate import Gate
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.views import DIVERGENCES
from garage_nb.registry.lift import Lifted, lift
from tests.inject.blades.naive import block
from tests.inject.debating import naive
from tests.restored import left_as_it_was

ITEMS = [
    {"prompt": "The capital of France is", "answer": "Paris", "domain": "facts"},
    {"prompt": "The capital of Spain is", "answer": ["Madrid", "Lisbon"], "domain": "facts"},
    {"prompt": "Which country has the capital Paris? It is", "answer": "France", "domain": "back"},
]
HOW = Debating("layer_1", 1, strength=0.3)
CLOSE: dict[str, Any] = {"rtol": 1e-3, "atol": 1e-3}


@cache
def live() -> Lifted:
    return lift("showroom")


def sheet() -> Sheet:
    (found,) = sheets(rows_for(live(), exercises_of(ITEMS)))
    return found


def asked(draw: int = 0, recipe: Recipe = Recipe()) -> Asked:  # noqa: B008 - a value that nobody changes
    one = sheet()
    return Asked(live(), recipe, prepare({"input_ids": one.ids, "attention_mask": one.mask}, live().model), draw)


def arm(name: str, how: Debating = HOW, gate: Gate | None = None) -> Arm:
    return next(one for one in arms(how, live(), gate) if one.name == name)


def bare() -> Tensor:
    return run({}, 0)[0]


def run(changes: dict[int, Any], watch: int) -> tuple[Tensor, Tensor]:
    one = sheet()
    return naive.run(live(), changes, watch, input_ids=one.ids, attention_mask=one.mask)


def view(seed: int, strength: float = 0.3, kind: str = "dropout") -> Any:
    return naive.view(kind, strength, seed, sheet().mask)


def following(logs: Tensor) -> Tensor:
    return logs.double().log_softmax(-1)[:, :-1].gather(-1, sheet().ids[:, 1:, None])[..., 0]


def test_arms_are_the_debate_in_three_lengths_beside_what_it_must_beat() -> None:
    gate = Gate(torch.zeros(2, 256), torch.zeros(2))

    found = {one.name: one.passes for one in arms(HOW, live(), gate)}

    assert found == {
        "untouched": 1, "one noise": 1, "merged in place": 3, "1 block on": 3, "to the end": 3,
        "gated, 1 block on": 3, "mean probabilities": 2, "vote of draws": 1,
    }  # fmt: skip


def test_passes_are_what_the_model_runs() -> None:
    """For every row of the sheet, seen by a hook of torch's own."""
    seen: list[int] = []
    several = arms(HOW, live(), None)
    several[0].answer(asked())  # the first run of a model looks at it too
    handle = block(live(), 0).register_forward_hook(lambda module, args, output: seen.append(len(args[0])))
    try:
        for one in several:
            seen.clear()
            one.answer(asked())

            assert sum(seen) == one.passes * len(sheet().ids), one.name
    finally:
        handle.remove()


@pytest.mark.parametrize(("at", "blocks"), [("layer_0", 0), ("layer_-1", 0), ("layer_-1", None)])
def test_where_nothing_runs_none_is_said_to_run(at: str, blocks: int | None) -> None:
    found = [one.name for one in arms(Debating(at, blocks), live(), None)]

    to_the_end = ["to the end"] * (at == "layer_0")
    assert found == ["untouched", "one noise", "merged in place", *to_the_end, "mean probabilities", "vote of draws"]


def real(found: Tensor) -> Tensor:
    return found[sheet().mask[:, 1:].bool()]


@pytest.mark.parametrize("name", ["merged in place", "1 block on", "to the end", "mean probabilities", "one noise"])
def test_an_arm_is_a_loop_by_hand(name: str) -> None:
    with left_as_it_was(live().model):
        found = arm(name).answer(asked(draw=1))

    seeds, far = (2, 3), {"merged in place": 0, "1 block on": 1}.get(name, 4)
    each = [run({1: view(seed)}, 1 + far) for seed in seeds]
    met = torch.stack([hidden for _, hidden in each]).mean(0)
    if name == "one noise":
        ours = run({1: view(2, matched(HOW))}, 1)[0].double().log_softmax(-1)
    elif name == "mean probabilities":
        ours = torch.stack([said.double().softmax(-1) for said, _ in each]).mean(0).log()
    else:
        ours = run({1 + far: lambda hidden: met}, 1 + far)[0].double().log_softmax(-1)
    assert found.logs is not None
    torch.testing.assert_close(real(found.logs), real(following(ours)), **CLOSE)
    torch.testing.assert_close(real(found.sure[:, :-1]), real(ours.exp().amax(-1)[:, :-1]), **CLOSE)
    if name != "one noise":
        likeliest = torch.stack([said.argmax(-1) for said, _ in each])
        assert found.each is not None
        assert float((found.each == likeliest)[:, sheet().mask.bool()].double().mean()) > 0.98


def test_the_untouched_arm_is_the_model_and_the_recipe_acts_in_all() -> None:
    recipe = Recipe((Scale("layer_4", 0.5),))

    plain, scaled = (arm("untouched").answer(asked(recipe=one)) for one in (Recipe(), recipe))

    assert plain.logs is not None
    assert scaled.logs is not None
    torch.testing.assert_close(real(plain.logs), real(following(bare())), **CLOSE)
    by_hand = run({4: lambda hidden: 0.5 * hidden}, 4)[0]
    torch.testing.assert_close(real(scaled.logs), real(following(by_hand)), **CLOSE)
    still = arm("to the end", Debating("layer_1", 1, strength=0.0)).answer(asked(recipe=recipe))
    assert still.logs is not None
    torch.testing.assert_close(real(still.logs), real(scaled.logs), **CLOSE)


@pytest.mark.parametrize("kind", DIVERGENCES)
@pytest.mark.parametrize("count", [2, 4])
def test_one_noise_strays_as_far_as_the_mean_of_the_perspectives(kind: str, count: int) -> None:
    """In mean square, over many tokens and seeds."""
    hidden = torch.randn(400, 64, generator=torch.Generator().manual_seed(1))
    how = Debating("layer_0", 0, kind, strength=0.4, seeds=tuple(range(count)))

    def drawn(strength: float, seed: int) -> Tensor:
        return DIVERGENCES[kind](strength, torch.Generator().manual_seed(seed))(hidden) - hidden

    one = [drawn(matched(how), 100 + seed).square().mean() for seed in range(20)]
    means = [torch.stack([drawn(0.4, 200 + 10 * at + seed) for seed in range(count)]).mean(0) for at in range(20)]

    apart = torch.stack([mean.square().mean() for mean in means]).mean()
    assert float(torch.stack(one).mean()) == pytest.approx(float(apart), rel=0.05)


def test_a_vote_is_of_the_draws_and_the_first_wins_a_tie() -> None:
    drawn = torch.tensor([[[4, 7, 1]], [[5, 7, 2]], [[5, 3, 3]]])

    found = voted(drawn)

    assert found.predicted.tolist() == [[5, 7, 1]]
    assert found.sure.tolist() == [[pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(1 / 3)]]
    assert found.logs is None


def test_votes_are_drawn_as_the_untouched_model_thinks_likely() -> None:
    """How often the likeliest is drawn for the answer of the first row, against its share."""
    at, shares = int(sheet().answers[0].nonzero()[0]) - 1, bare().double().softmax(-1)
    best = int(shares[0, at].argmax())

    found = [arm("vote of draws").answer(asked(draw)) for draw in range(30)]

    drawn = torch.cat([one.each[:, 0, at] for one in found if one.each is not None])
    share = float(shares[0, at, best])
    assert len(drawn) == 90
    assert float((drawn == best).double().mean()) == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 90))
    assert found[0].predicted.shape == sheet().ids.shape


def test_votes_follow_the_seed_and_the_draw() -> None:
    def drawn(seed: int, draw: int) -> Tensor:
        each = arm("vote of draws", Debating("layer_1", 1, seeds=(seed, seed + 1))).answer(asked(draw)).each
        assert each is not None
        return each

    assert torch.equal(drawn(5, 1), drawn(5, 1))
    assert not torch.equal(drawn(5, 1), drawn(5, 0))
    assert not torch.equal(drawn(5, 1), drawn(60, 1))


def test_marks_are_their_formulas() -> None:
    one = sheet()
    logits = torch.randn(*one.ids.shape, 50, generator=torch.Generator().manual_seed(2))
    each = torch.stack([logits.argmax(-1), logits.argmin(-1)])

    found = reply(logits, one.ids % 50, each).marks(
        Sheet(ids=one.ids % 50, mask=one.mask, answers=one.answers, numbers=one.numbers)
    )

    logs = logits.double().log_softmax(-1).numpy()
    for row, (ids, answers) in enumerate(zip((one.ids % 50).tolist(), one.answers.tolist(), strict=True)):
        places = [place for place, is_answer in enumerate(answers) if is_answer]
        assert found[row, 0] == all(logs[row, place - 1].argmax() == ids[place] for place in places)
        assert float(found[row, 1]) == pytest.approx(sum(logs[row, place - 1, ids[place]] for place in places))
        assert float(found[row, 2]) == pytest.approx(np.prod([np.exp(logs[row, place - 1]).max() for place in places]))
        assert found[row, 3] == 1


def test_an_exercise_is_right_in_any_of_its_ways() -> None:
    marks = torch.tensor([[0, -2.0, 0.3, 1], [1, -1.0, 0.6, 0], [0, -5.0, 0.9, 1]], dtype=torch.float64)

    found = by_exercise(marks, torch.tensor([0, 0, 1]), 2)

    together = math.log(math.exp(-2) + math.exp(-1))
    assert found.tolist() == [[1, pytest.approx(together), 0.6, 0], [0, -5, 0.9, 1]]


def test_measures_are_means_over_draws() -> None:
    untouched = torch.tensor([[1, -1.0, 0.5, math.nan], [0, -2.0, 0.25, math.nan]], dtype=torch.float64)
    other = torch.tensor([[0, -3.0, 1.0, 1], [0, -4.0, 0.75, 0]], dtype=torch.float64)

    found = measured([untouched, other], untouched)

    assert found["accuracy"].tolist() == [0.5, 0]
    assert found["log_prob"].tolist() == [-2, -3]
    assert found["brier"].tolist() == [(0.25 + 1) / 2, (0.0625 + 0.5625) / 2]
    assert found["overconfidence"].tolist() == [(-0.5 + 1) / 2, 0.5]
    assert found["flipped"].tolist() == [0.5, 0]


@pytest.fixture(scope="module")
def study() -> Debates:
    return debates(live(), ITEMS, HOW, Recipe(), draws=2)


def test_the_study_is_of_every_arm_and_item(study: Debates) -> None:
    with left_as_it_was(live().model):
        again = debates(live(), ITEMS, HOW, Recipe(), draws=2)

    assert study.domains == ("facts", "facts", "back")
    for name, values in study.measures.items():
        assert values.shape == (3, 7)
        assert torch.equal(values.nan_to_num(7), again.measures[name].nan_to_num(7))
    assert study.measures["log_prob"][:, -1].isnan().all()
    marks = arm("untouched").answer(asked()).marks(sheet())
    ways = marks[sheet().numbers == 1]
    assert float(study.measures["log_prob"][1, 0]) == pytest.approx(float(ways[:, 1].logsumexp(0)), abs=1e-4)
    assert float(study.measures["flipped"][:, 0].sum()) == 0


def test_frame_and_table_tell_the_same(study: Debates) -> None:
    frame, accuracy = study.frame(), study.measures["accuracy"]

    assert len(frame) == 6 * 7
    assert list(frame.loc["accuracy"]["value"]) == pytest.approx(accuracy.mean(0).tolist())
    change = (accuracy - accuracy[:, 1:2]).mean(0)
    assert list(study.frame("one noise").loc["accuracy"]["change"]) == pytest.approx(change.tolist())
    assert list(study.picture().columns[0].values) == pytest.approx(accuracy.mean(0).tolist())
    assert NOISE in study.picture().caption
    assert "1 for untouched, one noise, vote of draws; 2 for mean probabilities; 3 for m" in study.picture().caption
    assert study.by_domain().loc["facts", "untouched"] == float(accuracy[:2, 0].mean())
    drawn = study.plot("brier").axes.get_lines()[-1].get_xdata()
    assert list(drawn) == pytest.approx(list(study.frame().loc["brier"]["change"])[1:])


def test_where_nothing_flips_the_interval_has_a_width(study: Debates) -> None:
    """Shares have Wilson's, changes Bonett and Price's; of an arm over itself there is nothing to be unsure of."""
    still = torch.ones(20, 7, dtype=torch.float64)
    one = replace(study, measures={"accuracy": still, "flipped": 0 * still, "log_prob": -still})

    value, change, flipped = one.value("accuracy"), one.change("accuracy"), one.value("flipped")

    assert (float(value.low[3]), float(value.high[3])) == Score(right=20, n=20).interval
    assert (float(change.low[3]), float(change.high[3])) == Contest(won=0, lost=0, n=20).interval
    assert (float(flipped.low[3]), float(flipped.high[3])) == Score(right=0, n=20).interval
    assert change.low.isnan().tolist() == change.high.isnan().tolist() == [True, *[False] * 6]
    assert float(one.change("log_prob").low[3]) == 0
    assert study.value("disagreement").low[0].isnan()


def test_what_cannot_be_asked_is_said(study: Debates) -> None:
    with pytest.raises(InputError, match="There is no measure 'anger'"):
        study.plot("anger")
    with pytest.raises(InputError, match="There is no arm 'x'"):
        study.frame("x")
    with pytest.raises(InputError, match="0 draws"):
        debates(live(), ITEMS, HOW, Recipe(), draws=0)
    with pytest.raises(InputError, match="No items"):
        debates(live(), [], HOW, Recipe())
    with pytest.raises(EditError, match="After layer_5 there are 0 blocks"):
        debates(live(), ITEMS, Debating("layer_5", 1), Recipe())
    with pytest.raises(NotFiniteError, match="NaN"):
        reply(torch.full((1, 2, 3), math.nan), torch.zeros(1, 2, dtype=torch.long))
    assert Reply(torch.zeros(1, 2), torch.zeros(1, 2), None).each is None


def test_it_says_what_gates_there_were(study: Debates) -> None:
    card = FitCard(data="0" * 64, n=7, seed=0, steps=1, seconds=0.0, loss=1.0)
    weight, bias, own = torch.zeros(2, 256), torch.zeros(2), replace(HOW, reconciliation="gated").settings

    def told(gate: Gate | None, how: Debating = HOW, draws: int = 1) -> str:
        return debates(live(), ITEMS[:1], how, Recipe(), gate=gate, draws=draws).picture().caption

    assert "gate" not in study.picture().caption
    assert "the gated arm: untrained" in told(Gate(weight, bias))
    assert "the gated arm: gate of another debate" in told(Gate(weight, bias, card, "debating layer_1 to the end"))
    mine = told(Gate(weight, bias, card, own), draws=2)
    assert "the gated arm: gate fitted on 7 texts, by its own seeds in 1 of 2 draws" in mine
    assert "joined by untrained gates" in told(None, replace(HOW, reconciliation="gated"))


@pytest.mark.parametrize("name", ["showroom-llama", "showroom-moe"])
def test_other_models_are_studied_too(name: str) -> None:
    model = lift(name)

    with left_as_it_was(model.model):
        found = debates(model, ITEMS, Debating("layer_0", 1, "perturbation", strength=0.2), Recipe(), draws=1)

    assert found.measures["accuracy"].shape == (3, 7)
    assert not found.measures["brier"].isnan().any()

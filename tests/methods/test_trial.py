"""What is shown of a trial: every number that the verdict rests on, what is retained, and placebos beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor

from garage_nb.errors import InputError
from garage_nb.methods.bench import run
from garage_nb.methods.claim import Arm
from garage_nb.methods.contrast import difference
from garage_nb.methods.measure import ACCURACY, LOG_PROB
from garage_nb.methods.rules.beats import Beats
from garage_nb.methods.trial import Trial, as_family
from garage_nb.methods.trials import Trials
from garage_nb.methods.verdict import HOLDS, UNDECIDED
from garage_nb.view.saved import open_result
from tests.methods.synthetic import Planted, claim


@pytest.fixture(scope="module")
def trial() -> Trial:
    return run(claim(), Planted())


def test_effects_are_told_over_the_untouched_model(trial: Trial) -> None:
    runs = trial.outcomes
    sums = runs.places(["sums"])

    assert list(trial.over) == ["itself", "gated", "ensemble", "shuffled"]
    expected = float(runs.values(ACCURACY, difference("gated", "target"), sums).mean())
    assert trial.over["gated"].value == pytest.approx(expected)
    assert trial.over["itself"].value == trial.over["itself"].high == 0
    assert trial.over["itself"].p == 1


def test_retention_stands_beside_the_gain(trial: Trial) -> None:
    lost = trial.retained["gated", "stories"]

    assert trial.apart == ("stories",)
    assert lost.value == pytest.approx(
        trial.mean("gated", domains=["stories"]) - trial.mean("target", domains=["stories"])
    )
    assert lost.high < 0
    assert trial.mean("gated") - trial.mean("target") == pytest.approx(trial.over["gated"].value)
    assert run(claim(target=()), Planted()).retained == {}


def test_the_frame_has_every_number(trial: Trial) -> None:
    frame = trial.frame()

    assert list(frame.index.unique("what")) == ["hurdle", "over the no-op", "retained"]
    row = frame.loc[("hurdle", "gated − shuffled", "")]
    effect = trial.hurdles[0].effect
    assert (row["value"], row["low"], row["high"], row["p"]) == (effect.value, effect.low, effect.high, effect.p)
    assert row["ruling"] == "passed"
    assert (frame["p_bh"] >= frame["p"]).all()
    assert frame.loc[("retained", "gated", "stories"), "role"] == "treatment"
    assert set(frame["about"]) == {"", "the source's states in another order"}
    assert set(frame[frame["about"] != ""].index.get_level_values("name")) == {"shuffled"}


def test_the_text_says_all_that_the_verdict_rests_on(trial: Trial) -> None:
    text = repr(trial)

    for said in ("gated-over-shuffled: holds", "A gate helps.", "nobody", "Items are drawn.", "smallest", "no-op",
                 "80 items of 2 domains, 5 arms, 3 seeds", "gated − shuffled", "stories -"):  # fmt: skip
        assert said in text
    assert max(map(len, text.split("\n"))) <= 100
    assert "A gate helps." in trial._repr_html_()


def test_what_an_arm_is_stands_below_where_somebody_said_it(trial: Trial) -> None:
    silent = replace(trial, claim=replace(trial.claim, arms=tuple(Arm(one.name, one.role) for one in trial.claim.arms)))

    assert repr(trial).endswith("what is run\nshuffled  the source's states in another order")
    assert "the source&#x27;s states in another order" in trial._repr_html_()
    assert "what is run" not in repr(silent)


def test_placebos_are_a_band_behind_the_effects(trial: Trial) -> None:
    plot = trial.plot()

    band = plot.axes.patches[0].get_extents().transformed(plot.axes.transData.inverted())
    placebo = trial.over["shuffled"]
    assert [band.x0, band.x1] == pytest.approx([placebo.low, placebo.high])
    names = [label.get_text() for label in plot.axes.get_yticklabels()]
    assert names == ["gated", "shuffled", "ensemble"]
    assert plot.frame().equals(trial.frame())
    assert "gated-over-shuffled, which holds" in plot.alt
    assert plot.png().startswith(b"\x89PNG")


def test_a_placebo_that_is_far_off_leaves_the_room_to_the_others(trial: Trial) -> None:
    rule = replace(trial.claim.rule, measure=LOG_PROB)
    place = trial.outcomes.arms.index("shuffled")
    logs = trial.outcomes.log_probs.clone()
    logs[:, place] -= 100
    far = replace(trial, claim=replace(trial.claim, rule=rule), outcomes=replace(trial.outcomes, log_probs=logs))

    axes = far.plot().axes

    known = [far.over[arm] for arm in ("gated", "ensemble")]
    across = max(one.high for one in known) - min(0.0, *(one.low for one in known))
    low, high = axes.get_xlim()
    assert across < high - low < 1.3 * across
    pointed = [line for line in axes.lines if line.get_marker() == "<"]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in pointed] == [([low], [1])]
    assert "pointed: beyond" in axes.get_xlabel().replace("\n", " ")


def test_it_is_drawn_without_placebos_too() -> None:
    arms = tuple(arm for arm in claim().arms if arm.name != "shuffled")
    rule = Beats(treatment="gated", controls=("ensemble",), margin=0.05)

    class Fewer(Planted):
        def _gains(self, target: Tensor) -> dict[str, Tensor]:
            return {arm: gain for arm, gain in super()._gains(target).items() if arm != "shuffled"}

    found = run(claim(rule, arms=arms), Fewer())

    assert len(found.plot().axes.patches) == 0
    assert found.verdict.ruling != HOLDS


def test_tried_together_each_asks_for_more(trial: Trial) -> None:
    weak = run(claim(), Planted(gain=0.0))

    family = as_family([trial, *[weak] * 4])

    assert [one.verdict.family for one in family] == [5] * 5
    assert family[0].verdict.adjusted == pytest.approx(5 * trial.verdict.p)
    assert "among 5 claims by Benjamini and Hochberg" in repr(family[0])
    assert family[1].verdict.ruling != HOLDS
    thin = replace(trial, others=(0.5, 0.6))
    assert (thin.verdict.ruling == UNDECIDED) == (3 * trial.verdict.p > 0.05)


def test_of_several_one_is_found_by_its_claim(trial: Trial) -> None:
    several = Trials.of([trial], {"left-alone": "There is no source."})

    assert several["gated-over-shuffled"].claim is trial.claim
    assert "1 claim;" in repr(several)
    with pytest.raises(InputError, match=r"There is no trial of 'gated' here") as caught:
        several["gated"]
    assert caught.value.hint == "Nearest: gated-over-shuffled."
    with pytest.raises(InputError, match="'left-alone' was left out: There is no source"):
        several["left-alone"]


def test_it_is_saved_as_other_results_are(trial: Trial, tmp_path: Path) -> None:
    saved = open_result(trial.save(tmp_path / "trial.csv"))

    assert saved.frame().equals(trial.frame())
    assert saved.origin.kind == "Trial"
    assert "A gate helps." in saved.origin.caption
    assert saved.model_id == "none"
    assert saved.origin.title == repr(trial).splitlines()[0]
    assert "\n" not in saved.origin.caption

"""The table of runs: strict on the way in, and bit for bit the same by way of a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from garage_nb.errors import InputError, NotFiniteError
from garage_nb.methods.contrast import difference
from garage_nb.methods.measure import ACCURACY, LOG_PROB, Measure
from garage_nb.methods.outcomes import Item, Marks, Outcomes
from garage_nb.view.saved import open_result
from tests.methods.synthetic import World, named


@pytest.fixture
def runs() -> Outcomes:
    return next(World(effects={"gated": 1.0, "shuffled": 0.0}, items=7, seeds=2).outcomes(1))


def test_a_row_is_one_run(runs: Outcomes) -> None:
    frame = runs.frame()

    assert len(frame) == 2 * 2 * 7
    assert list(frame.columns) == ["right", "log_prob", "share"]
    row = frame.loc[("sums", "sums 3", "shuffled", 1)]
    assert row["right"] == bool(runs.right[1, 1, 3])
    assert row["log_prob"] == float(runs.log_probs[1, 1, 3])


@pytest.mark.parametrize("name", ["runs.csv", "runs.parquet"])
def test_a_file_brings_it_back(runs: Outcomes, tmp_path: Path, name: str) -> None:
    again = Outcomes.from_frame(open_result(runs.save(tmp_path / name)).frame(), runs.key, runs.model_id)

    assert (again.items, again.arms, again.seeds) == (runs.items, runs.arms, runs.seeds)
    assert torch.equal(again.right, runs.right)
    assert torch.equal(again.log_probs, runs.log_probs)
    assert torch.equal(again.readings["share"], runs.readings["share"])


def test_another_table_is_refused(runs: Outcomes) -> None:
    frame = runs.frame()

    for wrong in (frame.iloc[1:], frame.iloc[[1, 0, *range(2, len(frame))]], frame.iloc[[0, *range(len(frame) - 1)]]):
        with pytest.raises(InputError, match="missing, or in another order"):
            Outcomes.from_frame(wrong, "planted", "none")
    for wrong in (frame.drop(columns="right"), frame.reset_index()):
        with pytest.raises(InputError, match="no table of runs"):
            Outcomes.from_frame(wrong, "planted", "none")


def test_values_are_weighted_sums_of_arms(runs: Outcomes) -> None:
    found = runs.values(LOG_PROB, difference("gated", "shuffled"), [1, 4])

    assert torch.allclose(found, (runs.log_probs[:, 0] - runs.log_probs[:, 1])[:, [1, 4]])
    assert runs.values(ACCURACY, difference("gated", "shuffled"), range(7)).dtype is torch.float64
    with pytest.raises(InputError, match="no 'speed'"):
        runs.values(Measure("speed", "speed"), difference("gated", "shuffled"), [0])


def test_what_does_not_fit_is_refused(runs: Outcomes) -> None:
    with pytest.raises(InputError, match=r"right of planted is torch.bool of \(2, 2, 6\)"):
        replace(runs, right=runs.right[..., 1:])
    with pytest.raises(InputError, match=r"right of planted is torch.float"):
        replace(runs, right=runs.right.double())
    with pytest.raises(InputError, match="The arms of planted are not each once"):
        replace(runs, arms=("gated", "gated"))
    with pytest.raises(InputError, match="The items of planted are none"):
        replace(runs, items=())
    with pytest.raises(NotFiniteError, match="log_prob of planted holds NaN"):
        replace(runs, log_probs=runs.log_probs * torch.nan)
    with pytest.raises(InputError, match="above 0"):
        replace(runs, log_probs=-runs.log_probs)


def test_runs_must_be_read_alike() -> None:
    marks = Marks(right=torch.ones(3).bool(), log_probs=torch.zeros(3))
    shared = replace(marks, readings={"share": torch.zeros(3)})

    with pytest.raises(InputError, match="Seed 1 of planted has other arms or readings"):
        Outcomes.of("planted", "none", named(3), {0: {"a": marks}, 1: {"a": shared}})
    short = Marks(right=torch.ones(2).bool(), log_probs=torch.zeros(2))
    with pytest.raises(InputError, match="marked 2 and 3 items"):
        Outcomes.of("planted", "none", named(3), {0: {"a": marks, "b": short}})


def test_domains_are_found_by_name() -> None:
    items = (Item("sums", "1"), Item("stories", "1"), Item("sums", "2"))
    marks = Marks(right=torch.ones(3).bool(), log_probs=torch.zeros(3))
    found = Outcomes.of("planted", "none", items, {0: {"a": marks}})

    assert found.domains == ("sums", "stories")
    assert found.places(["sums"]) == [0, 2]
    with pytest.raises(InputError, match=r"no items of 'poems'\.\nThere are: sums, stories"):
        found.places(["poems"])


def test_the_table_shows_arms(runs: Outcomes) -> None:
    text = repr(runs)

    assert "planted, all runs of none · 7 items of sums, 2 arms, 2 seeds" in text
    assert f"{float(runs.right[:, 0].double().mean()):.3f}" in text

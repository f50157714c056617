"""Readings of an arm: one number an item, whatever ways it can be answered in, beside its marks."""

from __future__ import annotations

import torch

from garage_nb.analyze.judging.exercise import Exercise
from garage_nb.analyze.judging.on_items import rows_for
from garage_nb.core.batch import Batch
from garage_nb.methods.claims.router_calibration import ROUTER_CALIBRATION
from garage_nb.methods.studies.answering import alone
from garage_nb.methods.studies.course import Course, Run
from garage_nb.methods.studies.papers import Papers
from tests.methods.claims.trying import ground_for, model


def lengths(batch: Batch) -> torch.Tensor:
    return batch.attention_mask.sum(1).double()


def test_a_reading_is_the_mean_over_the_ways_of_an_item() -> None:
    llama = model("showroom-llama")
    ways = ((("1 2 3", " 4"), ("1 2 3", " 4 5 6")), (("a b", " c"),))
    exercises = [Exercise(ways=one, domain="any") for one in ways]
    rows = rows_for(llama, exercises)
    wanted = [[len(row.tokens) for row in rows if row.number == number] for number in range(2)]

    papers = Papers.of(llama, exercises)
    found = papers.marked(alone(llama), {"length": lengths})

    assert found.readings["length"].tolist() == [sum(one) / len(one) for one in wanted]
    assert len(wanted[0]) == 2
    assert torch.equal(found.log_probs, papers.marked(alone(llama)).log_probs)


def test_a_course_gives_what_is_read_under_a_seed() -> None:
    ground = ground_for(ROUTER_CALIBRATION)
    run = Run(
        "as it is",
        lambda seed: alone(ground.target),
        is_drawn=True,
        readings=lambda seed: {"scaled": lambda batch: seed * lengths(batch)},
    )
    course = Course(ground, [run])
    items = course.items(2)

    (_, first), (_, second) = (next(course.arms(seed, items)) for seed in (1, 3))

    assert torch.equal(3 * first.readings["scaled"], second.readings["scaled"])


def test_a_general_claim_is_about_all_domains() -> None:
    assert ROUTER_CALIBRATION.claim(ground_for(ROUTER_CALIBRATION)).target == ()

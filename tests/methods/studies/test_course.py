"""Courses: which items are asked, what runs once, and the usual arms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch

from garage_nb.inject.edits import Noise
from garage_nb.methods.studies.answering import alone
from garage_nb.methods.studies.course import Course, Run
from garage_nb.methods.studies.mixing import mixed_in
from garage_nb.methods.studies.papers import Answering, Papers
from garage_nb.methods.studies.usual import MERGE, SELF, SOURCE, TARGET, USUAL, usual
from garage_nb.registry.lift import Lifted
from tests.methods.blades.grounds import ground, live, log_probs


def test_what_no_seed_changes_runs_once() -> None:
    target, made = live("llama"), Counter[str]()

    def counted(name: str, answering: Callable[[int], Answering]) -> Callable[[int], Answering]:
        def make(seed: int) -> Answering:
            made[name] += 1
            return answering(seed)

        return make

    course = Course(
        ground(target),
        [
            Run("target", counted("target", lambda seed: alone(target))),
            Run("noise", counted("noise", lambda seed: alone(target, Noise("layer_1", 0.3, seed))), is_drawn=True),
        ],
    )
    items = course.items(8)

    first, second, again = (dict(course.arms(seed, items)) for seed in (0, 1, 0))

    assert made == {"target": 1, "noise": 3}
    assert torch.equal(first["target"].log_probs, second["target"].log_probs)
    assert not torch.equal(first["noise"].log_probs, second["noise"].log_probs)
    assert torch.equal(first["noise"].log_probs, again["noise"].log_probs)


def test_of_other_domains_there_is_one_item_for_four() -> None:
    asked = ground(live("llama"))
    course = Course(asked, [Run("target", lambda seed: alone(asked.target))])

    items = course.items(8)

    assert Counter(item.domain for item in items) == {"near": 8, "far": 2}
    assert items == course.items(8)
    assert len(set(items)) == 10
    (marks,) = dict(course.arms(0, items)).values()
    texts = [*asked.test["near"], *asked.test["far"][:2]]
    assert torch.allclose(marks.log_probs, log_probs(asked.target, texts), atol=1e-4)


def test_the_usual_arms_are_what_they_say() -> None:
    target, source = live("llama"), live("llama", 1)
    asked = ground(target, source)
    seen: list[Lifted] = []

    def edits(made: Callable[[Lifted], Lifted]) -> list[object]:
        seen.append(made(source))
        return [mixed_in(target, "layer_1", seen[-1], 0.5)]

    runs = {run.arm: run for run in usual(asked, [source], edits)}  # type: ignore[arg-type]

    assert list(runs) == [arm.name for arm in USUAL]
    papers = Papers.of(target, asked.test["near"])
    marked = {name: papers.marked(run.answering(0)).log_probs for name, run in runs.items()}
    assert torch.equal(marked[TARGET], marked[SELF])
    assert torch.allclose(marked[SOURCE], log_probs(source, asked.test["near"]), atol=1e-4)  # type: ignore[arg-type]
    assert len({tuple(one.tolist()) for one in marked.values()}) == len(USUAL) - 1
    assert torch.equal(marked[MERGE], papers.marked(runs[MERGE].answering(1)).log_probs)
    assert {name for name, run in runs.items() if run.is_drawn} == {"source shuffled", "random direction", "noise"}

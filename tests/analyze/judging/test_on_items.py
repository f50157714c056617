"""On items: what greedy `generate` of transformers writes, answer by answer."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.analyze.judging import sheets as module
from garage_nb.analyze.judging.evaluation import Evaluation
from garage_nb.analyze.judging.exercise import Exercise, exercises_of
from garage_nb.analyze.judging.judge import judge
from garage_nb.errors import InputError, NotFiniteError, UnsupportedModelError
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import Lifted, lift
from garage_nb.showroom import card, items
from tests.analyze.judging.models import donors, ids_of, named, showroom
from tests.coverage.zoo import Entry, build
from tests.families import saved

NAMES = ["showroom-llama", "showroom-llama-sorting", "showroom-gpt2", "showroom-moe"]


def right_of(found: Evaluation) -> list[list[bool]]:
    assert found.items is not None
    right: list[list[bool]] = found.items.right.tolist()
    return right


def written(lifted: Lifted, before: list[int], count: int) -> list[int]:
    """The next tokens that greedy decoding writes, whatever the model's own settings are."""
    ids = lifted.model.generate(
        torch.tensor([before]), max_new_tokens=count, min_new_tokens=count, do_sample=False, pad_token_id=0
    )
    return [int(token) for token in ids[0, len(before) :]]


def by_generating(lifted: Lifted, way: tuple[str, ...]) -> bool:
    """Each answer after the right text up to there."""
    for place in range(1, len(way), 2):
        before = ids_of(lifted, "".join(way[:place]))
        wanted = ids_of(lifted, way[place], add_special_tokens=False)
        if written(lifted, before, len(wanted)) != wanted:
            return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_an_item_is_right_when_greedy_generation_writes_it(name: str) -> None:
    lifted, other = showroom(name), showroom("showroom-llama-seed1")
    asked = [
        item.exercise
        for domain in ("arithmetic", "recall", "kinship", "copy")
        for item in items(domain, n=6, level="hard")
    ]

    found = right_of(judge(lifted, {"other": other}, Recipe(), exercises=asked))

    for right, one in zip(found, (lifted, other), strict=True):
        assert right == [by_generating(one, exercise.ways[0]) for exercise in asked]
    assert 0 < sum(found[0]) < len(asked)


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "gemma2"])
def test_of_any_family_and_tokenizer(family: str, tmp_path: Any) -> None:
    lifted = lift(saved(family, tmp_path))
    asked = exercises_of([(prompt, answer) for prompt in ("abc", "the cat", "1 2 3") for answer in "xyz7"])
    lifted_ids = [written(lifted, ids_of(lifted, one.ways[0][0]), 1)[0] for one in asked]
    likely = [(one.ways[0][0], lifted.tokenizer.decode([ids])) for one, ids in zip(asked, lifted_ids, strict=True)]
    sure = [
        Exercise(ways=((prompt, answer),), domain="sure") for prompt, answer in dict(likely).items() if answer.strip()
    ]

    found = right_of(judge(lifted, {"self": lifted}, Recipe(), exercises=[*asked, *sure]))

    expected = [any(by_generating(lifted, way) for way in one.ways) for one in [*asked, *sure]]
    assert found == [expected, expected]
    assert all(expected[len(asked) :])


def test_an_ensemble_answers_by_the_mean_of_logits() -> None:
    several = [showroom("showroom-llama-sorting"), showroom("showroom-llama-arithmetic"), showroom("showroom-gpt2")]
    asked = [item.exercise for domain in ("arithmetic", "sorting") for item in items(domain, n=20, level="hard")]
    expected = []
    for one in asked:
        prompt, answer = (
            ids_of(several[0], one.ways[0][0]),
            ids_of(several[0], one.ways[0][1], add_special_tokens=False),
        )
        with torch.no_grad():
            logits = [lifted.model(torch.tensor([prompt + answer])).logits[0].double() for lifted in several]
        likeliest = (logits[0] + logits[1] + logits[2]).argmax(-1)[len(prompt) - 1 : -1]
        expected.append(likeliest.tolist() == answer)

    found = right_of(judge(showroom(), named(*several), Recipe(), exercises=asked, averaged=[*named(*several)]))

    wanted = [one.ways[0][1] for one in asked]
    assert len(set(wanted)) > 10
    assert found[-1] == expected
    assert 0 < sum(expected) < len(expected)
    assert expected not in found[:-1]


def test_rows_of_a_sheet_are_as_if_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    lifted = showroom()
    asked = [item.exercise for domain in ("facts", "sorting", "stories") for item in items(domain, n=15, level="hard")]

    together = right_of(judge(lifted, {"self": lifted}, Recipe(), exercises=asked))
    monkeypatch.setattr(module, "ROOM", 1)
    alone = right_of(judge(lifted, {"self": lifted}, Recipe(), exercises=asked))

    assert together == alone


def test_a_space_before_the_answer_may_be_left_out() -> None:
    lifted = showroom()

    found = judge(
        lifted, {"self": lifted}, Recipe(), exercises=[("The capital of France is", "Paris"), ("Kenya is in", "Asia")]
    )

    assert right_of(found) == [[True, False]] * 2


def test_the_showroom_scores_what_its_cards_say() -> None:
    names = ["showroom-llama", "showroom-llama-sorting"]
    asked = [item.exercise for item in items("sorting", n=120, level="hard", seed="judged")]

    found = judge(showroom(names[1]), {names[0]: showroom(names[0])}, Recipe(), exercises=asked)

    for name in names:
        one = found.of("accuracy", name)
        assert one.estimate.low <= card(name).hard["sorting"]["accuracy"] <= one.estimate.high
        assert one.n == len(set(asked))
    assert found.of("accuracy", names[0]).verdict == "better"


def test_equal_items_count_once() -> None:
    asked = [("The capital of France is", "Paris"), ("Kenya is in", "Africa")]

    found = judge(showroom(), {"self": showroom()}, Recipe(), exercises=asked * 40)

    assert found.of("accuracy", "self").n == 2


def test_what_cannot_be_scored_is_refused() -> None:
    lifted, pair = showroom(), [("a", "b")]
    bare, _ = donors("llama", 2)

    with pytest.raises(InputError, match="No tokenizer came with"):
        judge(bare, {"other": bare}, Recipe(), exercises=pair)
    with pytest.raises(InputError, match="made for"):
        judge(lifted, {"other": lifted}, Recipe(), exercises=[("a " * 300, "b")])
    writer = lift(build(Entry("seq2seq", "t5", "T5ForConditionalGeneration")), tokenizer=lifted.tokenizer)
    with pytest.raises(UnsupportedModelError, match="reads a text apart"):
        judge(writer, {"other": writer}, Recipe(), exercises=pair)


def test_nan_is_refused() -> None:
    broken = lift("showroom-gpt2")
    with torch.no_grad():
        broken.model.get_output_embeddings().weight[3] = torch.nan

    with pytest.raises(NotFiniteError, match="NaN"):
        judge(showroom(), {"broken": broken}, Recipe(), exercises=[("a", "b")])

"""Scores count what greedy decoding would have written."""

import torch
from torch import Tensor

from garage_nb.analyze.judging.score import Score
from garage_nb.showroom import items
from garage_nb.showroom.evaluate import exercises, score
from garage_nb.showroom.tokenizer import build


def test_the_right_next_tokens_score_one() -> None:
    asked = exercises(build(), items("recall", n=60))

    assert [len(batch.ids) for batch in asked] == [50, 10]
    assert score(lambda ids: ids.roll(-1, dims=1), asked) == Score(right=60, n=60)


def test_one_wrong_answer_token_loses_its_item_and_no_other() -> None:
    asked = exercises(build(), items("copy", n=20))

    def predict(ids: Tensor) -> Tensor:
        predicted = ids.roll(-1, dims=1)
        predicted[3, asked[0].answers[3].nonzero()[1] - 1] = 0
        return predicted

    assert score(predict, asked) == Score(right=19, n=20)


def test_what_is_given_does_not_count() -> None:
    asked = exercises(build(), items("kinship", n=20))

    def predict(ids: Tensor) -> Tensor:
        answers = torch.cat([asked[0].answers[:, 1:], asked[0].answers[:, :1]], dim=1)
        return torch.where(answers, ids.roll(-1, dims=1), 0)

    assert score(predict, asked).accuracy == 1.0

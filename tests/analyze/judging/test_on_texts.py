"""On texts: transformers' own loss, divergences in NumPy at double precision, and no padding anywhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.analyze.judging import on_texts as module
from garage_nb.analyze.judging.evaluation import Evaluation
from garage_nb.analyze.judging.judge import judge
from garage_nb.analyze.judging.on_texts import OnTexts
from garage_nb.errors import NotFiniteError
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import lift
from tests.analyze.judging.models import donors, named
from tests.families import tiny

TEXTS = [[3, 1, 4, 1, 5, 9, 2, 6], [53, 58, 9], [7, 9, 32, 38, 46, 26, 43, 38, 32, 7, 9]]


def padded(texts: list[list[int]]) -> dict[str, list[list[int]]]:
    longest = max(map(len, texts))
    return {
        "input_ids": [text + [0] * (longest - len(text)) for text in texts],
        "attention_mask": [[1] * len(text) + [0] * (longest - len(text)) for text in texts],
    }


def texts_of(found: Evaluation) -> OnTexts:
    assert found.texts is not None
    return found.texts


@torch.no_grad()
def log_shares(model: Any, ids: list[int]) -> np.ndarray:
    """(next, vocab)."""
    logits = model(torch.tensor([ids])).logits[0, :-1].double().numpy()
    top = logits.max(1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True))


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "gemma2"])
@pytest.mark.parametrize("chunk", [1, 1 << 26])
def test_losses_and_divergences_are_a_loop_over_tokens(
    family: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    judged, *others = donors(family)

    found = texts_of(judge(judged, named(*others), Recipe(), texts=padded(TEXTS)))

    assert found.tokens.tolist() == [[len(text) - 1 for text in TEXTS]] * 4
    assert bool(found.bytes.isnan().all())
    for at, ids in enumerate(TEXTS):
        alone = [log_shares(one.model, ids) for one in (judged, *others)]
        logits = [one.model(torch.tensor([ids])).logits.detach().double() for one in others]
        mean = (sum(logits) / len(logits))[0, :-1].log_softmax(-1).numpy()
        for place, logs in enumerate([*alone, mean]):
            expected = -logs[range(len(ids) - 1), ids[1:]].sum()
            assert float(found.losses[place, at]) == pytest.approx(expected, rel=1e-5)
            far = (np.exp(logs) * (logs - alone[0])).sum()
            assert float(found.divergence[place, at]) == pytest.approx(far, rel=1e-4, abs=1e-9)
            assert found.others[place, at] == (logs.argmax(1) != alone[0].argmax(1)).sum()


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral"])
def test_perplexity_is_transformers_own_loss(family: str) -> None:
    judged, other = donors(family, 2)
    losses = []
    for one in (judged, other):
        with torch.no_grad():
            each = [float(one.model(torch.tensor([ids]), labels=torch.tensor([ids])).loss) for ids in TEXTS]
        losses.append(np.average(each, weights=[len(ids) - 1 for ids in TEXTS]))

    found = judge(judged, {"other": other}, Recipe(), texts=padded(TEXTS))

    mine, theirs = (found.of("perplexity", name) for name in found.names)
    assert mine.estimate.value == pytest.approx(math.exp(losses[0]), rel=1e-5)
    assert theirs.estimate.value == pytest.approx(math.exp(losses[1]), rel=1e-5)
    assert theirs.change.value == pytest.approx(math.exp(losses[0] - losses[1]), rel=1e-5)


def test_what_one_rules_out_and_another_does_not_is_said(llama: Any) -> None:
    with torch.no_grad():
        llama.lm_head.weight[5] = torch.nan

    with pytest.raises(NotFiniteError, match="NaN or infinity"):
        judge(lift(llama), {"other": lift(tiny("llama", seed=1))}, Recipe(), texts=padded(TEXTS))

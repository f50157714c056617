"""What changes a model's answers without torch counting it as a write changes its condition; running it does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.core.batch import prepare
from garage_nb.core.condition import condition_of
from garage_nb.core.generate import generate
from garage_nb.snapshot.capture import SnapshotCapture
from tests.coverage.test_coverage import CHOSEN
from tests.coverage.zoo import Entry, build, inputs
from tests.families import FAMILIES, prompt, tiny

from .contract import answer_of
from .test_contract import NOT_SEEN, adapted


@pytest.mark.parametrize("what", NOT_SEEN)
def test_it_sees_what_torch_does_not_count(llama: Any, what: str) -> None:
    before, answer = condition_of(llama), answer_of(llama)

    with torch.no_grad():
        NOT_SEEN[what](llama)

    assert not torch.equal(answer_of(llama), answer)
    assert condition_of(llama) != before


def test_it_sees_a_patched_class(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before, kind = condition_of(llama), type(llama.model.layers[0].mlp)
    own = kind.forward
    monkeypatch.setattr(kind, "forward", lambda self, hidden: own(self, hidden) * 2)

    assert condition_of(llama) != before


def test_it_sees_autocast(llama: Any) -> None:
    before = condition_of(llama)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = condition_of(llama)
    with torch.autocast("cpu", dtype=torch.float16):
        other = condition_of(llama)

    assert len({before, inside, other}) == 3
    assert condition_of(llama) == before


def test_it_sees_which_adapter_is_in_force() -> None:
    wrapped = adapted("llama")
    before = condition_of(wrapped)

    with wrapped.disable_adapter():
        assert condition_of(wrapped) != before
    assert condition_of(wrapped) == before
    wrapped.merge_adapter()
    assert condition_of(wrapped) != before


@pytest.mark.parametrize("model_type", FAMILIES)
def test_runs_leave_it_as_it_was(model_type: str) -> None:
    model = tiny(model_type)
    answer_of(model)
    before = condition_of(model)

    SnapshotCapture(model).run(prompt())
    generate(model, prepare(prompt(), model), max_new_tokens=2, do_sample=False)

    assert condition_of(model) == before


@pytest.mark.parametrize("entry", CHOSEN, ids=str)
def test_forwards_of_unlike_architectures_leave_it_as_it_was(entry: Entry) -> None:
    model = build(entry)
    with torch.no_grad():
        model(**inputs(model))
        before = condition_of(model)
        model(**inputs(model))

    assert condition_of(model) == before
    assert hash(before)

"""Reading changes nothing: not the logits, not the hooks, not the flags, not the random numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.core.attach import Attached
from garage_nb.core.batch import prepare
from garage_nb.core.generate import generate
from garage_nb.core.run import logits
from garage_nb.core.sites import Read, Write, everywhere
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import FAMILIES, prompt, tiny
from tests.restored import hooks_on, left_as_it_was, logits_of


def readers(model: Any) -> list[Read]:
    spec = spec_of(model)
    return [Read(spec.site(name), lambda hidden: None) for name in spec.parts]


def test_logits_with_readers_equal_the_bare_model(any_model: Any) -> None:
    bare = logits_of(any_model)

    assert torch.equal(logits(any_model, prepare(prompt(), any_model)), bare)
    assert torch.equal(logits(any_model, prepare(prompt(), any_model), readers(any_model)), bare)


def test_a_users_own_call_under_readers_is_exact(any_model: Any) -> None:
    bare = logits_of(any_model)

    with Attached(any_model, readers(any_model)):
        assert torch.equal(logits_of(any_model), bare)


def test_last_logits_are_the_last_rows(any_model: Any) -> None:
    bare = logits_of(any_model)

    last = logits(any_model, prepare(prompt(), any_model), last=2)

    assert last.shape == bare[:, -2:].shape
    torch.testing.assert_close(last, bare[:, -2:], rtol=1e-5, atol=1e-5)


def test_a_capture_leaves_the_model_as_it_was(any_model: Any) -> None:
    with left_as_it_was(any_model):
        SnapshotCapture(any_model).run(prompt(), layers=list(spec_of(any_model).parts), keep=True)


@pytest.mark.parametrize("model_type", ["gpt2", "llama", "gemma2"])
def test_flags_and_grad_mode_come_back(model_type: str) -> None:
    model = tiny(model_type)
    model.train()
    model.get_submodule(spec_of(model).parts["ffn_1"].module_path).eval()
    flags = [module.training for module in model.modules()]
    assert not all(flags)

    with torch.enable_grad():
        snapshots = SnapshotCapture(model).run(prompt(), keep=True)
        assert torch.is_grad_enabled()

    assert [module.training for module in model.modules()] == flags
    assert not snapshots["layer_0"].hidden.requires_grad
    model.eval()
    assert torch.equal(snapshots["layer_0"].hidden, SnapshotCapture(model).run(prompt(), keep=True)["layer_0"].hidden)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_transformers_own_recorders_see_what_was_written(model_type: str) -> None:
    """It leaves its hooks on the model for good; a writer set later must still come before them."""
    model = tiny(model_type)
    site = spec_of(model).site("layer_1")
    zero = Write(site, everywhere(torch.zeros_like))
    with torch.no_grad(), Attached(model, [zero]):
        fresh = model(prompt(), output_hidden_states=True, use_cache=False)
    left_behind = hooks_on(model)
    assert left_behind

    with torch.no_grad(), Attached(model, [zero]):
        again = model(prompt(), output_hidden_states=True, use_cache=False)

    assert hooks_on(model) == left_behind
    assert torch.equal(again.hidden_states[2], torch.zeros_like(again.hidden_states[2]))
    assert all(torch.equal(a, b) for a, b in zip(fresh.hidden_states, again.hidden_states, strict=True))
    assert torch.equal(fresh.logits, again.logits)


def test_a_stopped_run_does_not_disturb_transformers_recorders(llama: Any) -> None:
    with torch.no_grad():
        before = llama(prompt(), output_hidden_states=True, use_cache=False).hidden_states

    SnapshotCapture(llama).run(prompt(), layers="0")

    with torch.no_grad():
        after = llama(prompt(), output_hidden_states=True, use_cache=False).hidden_states
    assert len(after) == len(before) == 4
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("model_type", FAMILIES)
def test_generation_with_readers_is_transformers_own(model_type: str) -> None:
    model = tiny(model_type)
    options = {"max_new_tokens": 6, "do_sample": False}
    expected = model.generate(prompt(), attention_mask=torch.ones_like(prompt()), **options)

    with left_as_it_was(model):
        found = generate(model, prepare(prompt(), model), readers(model), **options)

    assert torch.equal(found, expected)


def test_padding_on_the_right_is_not_continued(llama: Any) -> None:
    ragged = {"input_ids": [[3, 4, 5], [6, 7, 2]], "attention_mask": [[1, 1, 1], [1, 1, 0]]}

    with pytest.raises(ValueError, match="unlike length"):
        generate(llama, prepare(ragged, llama), max_new_tokens=2)

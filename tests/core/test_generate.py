"""Generation under edits: transformers' own tokens when nothing is in force, and the prompt kept bit for bit."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.core.batch import Batch, prepare
from garage_nb.core.generate import generate, streamed
from garage_nb.core.run import logits
from garage_nb.core.sites import Read
from garage_nb.errors import InputError
from garage_nb.inject.edits import Add, Edit, Noise, Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from tests.families import FAMILIES, prompt, tiny
from tests.restored import left_as_it_was

OPTIONS: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None, "pad_token_id": 2}
EDITS = (Scale("layer_1", 1.2), Add("attention_2", 0.05), Scale("ffn_2", 0.7))


def written(model: Any, *edits: Edit, kept: bool = True, **options: Any) -> Tensor:
    spec = spec_of(model)
    chain = {"chain": spec.chain} if kept else {}
    return generate(model, prepare(prompt(), model), Recipe(edits).taps(spec), **chain, **{**OPTIONS, **options})


def step_by_step(model: Any, *edits: Edit) -> Tensor:
    """No cache at all: every token from a pass over the whole text, under the edits."""
    spec, ids = spec_of(model), prompt()
    for _ in range(OPTIONS["max_new_tokens"]):
        answer = logits(model, prepare(ids, model), Recipe(edits).taps(spec), last=1)
        ids = torch.cat([ids, answer[:, -1].argmax(-1, keepdim=True)], dim=1)
    return ids


@pytest.mark.parametrize("family", FAMILIES)
def test_idle_it_writes_what_transformers_writes(family: str) -> None:
    model = tiny(family)
    expected = model.generate(prompt(), attention_mask=torch.ones_like(prompt()), **OPTIONS)

    with left_as_it_was(model):
        assert torch.equal(written(model), expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_edits_stay_in_force_from_the_prompt_to_the_last_token(family: str) -> None:
    model = tiny(family)

    with left_as_it_was(model):
        found = written(model, *EDITS)

    assert torch.equal(found, step_by_step(model, *EDITS))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_kept_prompt_changes_no_bit(family: str) -> None:
    """The second generation answers the blocks before the edits with what the first one kept."""
    model, spec = tiny(family), spec_of(tiny(family))
    scores = {"output_logits": True, "return_dict_in_generate": True}
    taps = Recipe(EDITS).taps(spec)
    generate(model, prepare(prompt(), model), (), chain=spec.chain.towards(tap.site for tap in taps), **OPTIONS)

    kept, whole = written(model, *EDITS, **scores), written(model, *EDITS, kept=False, **scores)

    assert torch.equal(kept.sequences, whole.sequences)
    assert all(torch.equal(a, b) for a, b in zip(kept.logits, whole.logits, strict=True))


def blocks_run(model: Any, run: Any) -> int:
    """How often the code of a block ran; no hook is set, for with one of the user's nothing would be left out."""
    block = model.get_submodule(spec_of(model).chain.links[0].path)
    code, calls = type(block).forward.__code__, 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code is code

    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3", "mixtral", "gemma"])
def test_the_prompt_does_not_run_again_below_the_first_edit(family: str) -> None:
    model = tiny(family)
    whole = blocks_run(model, lambda: written(model, Scale("layer_1", 1.1)))
    written(model, Scale("layer_1", 1.2))  # proves on a short prompt that blocks can be left out

    again = blocks_run(model, lambda: written(model, Scale("layer_1", 1.3)))

    assert whole == 3 * OPTIONS["max_new_tokens"]
    assert again == whole - 2


def test_other_tokens_and_other_weights_are_not_answered_from_what_was_kept(llama: Any) -> None:
    before = written(llama, Scale("layer_1", 1.1))
    with torch.no_grad():
        llama.model.layers[0].mlp.down_proj.weight.mul_(1.5)

    assert torch.equal(written(llama, Scale("layer_1", 1.1)), written(llama, Scale("layer_1", 1.1), kept=False))
    other = prepare(prompt().flip(1), llama)
    taps = Recipe((Scale("layer_1", 1.1),)).taps
    kept = generate(llama, other, taps(spec_of(llama)), chain=spec_of(llama).chain, **OPTIONS)
    assert torch.equal(kept, generate(llama, other, taps(spec_of(llama)), **OPTIONS))
    assert before.shape == kept.shape


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma3_text"])
def test_a_batch_padded_on_the_left_is_written_as_each_text_alone(family: str) -> None:
    model, spec = tiny(family), spec_of(tiny(family))
    long, short = [3, 1, 4, 1, 5, 9], [2, 6, 5]
    ids = torch.tensor([long, [2, 2, 2, *short]])
    batch = Batch(ids, torch.tensor([[1] * 6, [0, 0, 0, 1, 1, 1]]))
    taps = Recipe((Scale("layer_1", 1.3, tokens="not_first"),)).taps

    together = generate(model, batch, taps(spec), chain=spec.chain, **OPTIONS)[:, 6:]

    alone = [generate(model, prepare([text], model), taps(spec), **OPTIONS)[0, len(text) :] for text in (long, short)]
    assert torch.equal(together, torch.stack(alone))


def test_padding_on_the_right_cannot_be_gone_on_from(llama: Any) -> None:
    batch = Batch(torch.tensor([[3, 4, 5], [6, 7, 2]]), torch.tensor([[1, 1, 1], [1, 1, 0]]))

    with left_as_it_was(llama), pytest.raises(InputError, match="unlike length"):
        generate(llama, batch, **OPTIONS)


@pytest.mark.parametrize("edits", [(), EDITS, (Noise("layer_0", 0.1, 3),)])
def test_a_stream_brings_the_same_tokens_one_by_one(llama: Any, edits: tuple[Edit, ...]) -> None:
    spec, batch = spec_of(llama), prepare(prompt(), llama)

    with left_as_it_was(llama):
        stream = streamed(llama, batch, Recipe(edits).taps(spec), chain=spec.chain, **OPTIONS)
        tokens = list(stream)

    assert all(token.shape == (1,) for token in tokens)
    assert torch.equal(torch.cat(tokens), written(llama, *edits)[0, prompt().shape[1] :])


def test_a_stream_nobody_reads_on_stops_and_leaves_nothing(llama: Any) -> None:
    spec = spec_of(llama)
    steps: list[int] = []
    taps = [*Recipe(EDITS).taps(spec), Read(spec.site("output_head"), lambda hidden: steps.append(1))]
    options = {**OPTIONS, "max_new_tokens": 50}

    with left_as_it_was(llama):
        stream = streamed(llama, prepare(prompt(), llama), taps, **options)
        next(stream)
        stream.close()

    assert len(steps) < 50
    assert not any(thread.name == "garage_nb generation" for thread in threading.enumerate())


def test_an_error_inside_reaches_whoever_reads_the_stream(llama: Any) -> None:
    spec = spec_of(llama)

    def fail(hidden: Tensor) -> None:
        raise ZeroDivisionError

    with left_as_it_was(llama), pytest.raises(ZeroDivisionError):
        list(streamed(llama, prepare(prompt(), llama), [Read(spec.site("layer_1"), fail)], **OPTIONS))


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral"])
def test_without_a_cache_after_a_run_that_kept_one(family: str) -> None:
    model, edit = tiny(family), Scale("layer_1", 1.2)
    expected = step_by_step(model, edit)

    with_one = written(model, edit)
    without = [written(model, edit, use_cache=False) for _ in range(2)]

    assert torch.equal(with_one, expected)
    assert all(torch.equal(found, expected) for found in without)

"""A blade with a source is the source's own run on the same tokens, in generation too, and the models stay apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from garage_nb.core.batch import prepare
from garage_nb.core.generate import generate
from garage_nb.errors import EditError, HookError
from garage_nb.inject.blades.edit import in_force
from garage_nb.inject.blades.kinds.transplant import transplant
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.sweep import swept_over
from garage_nb.registry.lift import Lifted
from tests.families import prompt, tiny
from tests.inject.blades.making import LEARNED, bare, lifted, under
from tests.inject.blades.naive import continued, hooked, states
from tests.restored import left_as_it_was, logits_of

PADDED = {"input_ids": [[2, 2, 5, 6], [3, 4, 8, 9]], "attention_mask": [[0, 0, 1, 1], [1, 1, 1, 1]]}


def graft(target: Lifted, source: Lifted, alpha: float = 1.0, **how: Any) -> Any:
    return in_force(transplant("graft", target, "layer_1", source, **how), source=source, alpha=alpha)


def go_on(live: Lifted, *edits: Any, given: Any, **options: Any) -> torch.Tensor:
    taps, batch = Recipe(edits).taps(live.spec), prepare(given, live.model)
    options = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 2, "eos_token_id": None, **options}
    return generate(live.model, batch, taps, **options)


@pytest.mark.parametrize("family", LEARNED)
@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_the_sources_states_take_the_place_of_the_targets(family: str, alpha: float) -> None:
    target, source = lifted(family), lifted(family, seed=1)

    with left_as_it_was(target.model), left_as_it_was(source.model):
        found = under(target, graft(target, source, alpha))

    theirs = states(source, 1, input_ids=prompt(), use_cache=False)
    expected = hooked(target, 1, lambda h: torch.lerp(h, theirs, alpha), input_ids=prompt(), use_cache=False)
    assert torch.equal(found, expected)
    assert (found - logits_of(target.model)).abs().max() > 1e-2


@pytest.mark.parametrize("family", [*LEARNED, "gemma2"])
def test_a_models_own_states_change_no_bit(family: str) -> None:
    target, twin = lifted(family), replace(lifted(family), model=tiny(family))
    edit = graft(target, twin, 0.7)

    assert torch.equal(under(target, edit), logits_of(target.model))
    assert torch.equal(go_on(target, edit, given=PADDED), go_on(target, given=PADDED))


@pytest.mark.parametrize("family", LEARNED)
@pytest.mark.parametrize("cached", [True, False])
def test_generation_is_as_if_everything_ran_anew_at_every_step(family: str, cached: bool) -> None:
    target, source = lifted(family), lifted(family, seed=1)

    with left_as_it_was(target.model), left_as_it_was(source.model):
        found = spoken(target, graft(target, source, 0.5), use_cache=cached)

    ids, mask = (torch.tensor(PADDED[name]) for name in ("input_ids", "attention_mask"))
    torch.testing.assert_close(found, continued(target, source, 1, 0.5, 6, ids, mask), rtol=0, atol=2e-5)
    assert (found - spoken(target)).abs().max() > 1e-2


def spoken(live: Lifted, *edits: Any, **options: Any) -> torch.Tensor:
    """The logits of every step."""
    whole: Any = go_on(live, *edits, given=PADDED, return_dict_in_generate=True, output_logits=True, **options)
    return torch.stack(whole.logits, dim=1)


def test_two_blades_with_sources_stack() -> None:
    target, a, b = lifted("llama"), lifted("llama", seed=1), lifted("llama", seed=2)

    found = under(target, graft(target, a, 0.5), graft(target, b, 0.5))

    first, second = (states(live, 1, input_ids=prompt(), use_cache=False) for live in (a, b))
    expected = hooked(
        target, 1, lambda h: torch.lerp(torch.lerp(h, first, 0.5), second, 0.5), input_ids=prompt(), use_cache=False
    )
    torch.testing.assert_close(found, expected)


def test_it_acts_in_calls_of_ones_own_and_in_a_sweep() -> None:
    target, source = lifted("llama"), lifted("llama", seed=1)
    edits = [graft(target, source, 0.5), graft(target, source, 1.0)]
    alone = [under(target, edit) for edit in edits]

    with LayerInjector(target.model) as injector:
        injector.add(edits[0])
        own = target.model(prompt(), use_cache=False).logits.detach()
        assert torch.is_grad_enabled()
    recipes = [Recipe(), *(Recipe((edit,)) for edit in edits)]
    rows = torch.cat(list(swept_over(target.model, target.spec, prepare(prompt(), target.model), recipes)))

    torch.testing.assert_close(own, alone[0])
    torch.testing.assert_close(rows, torch.cat([logits_of(target.model), *alone]))


def test_models_in_training_stay_in_training_and_drop_nothing_out() -> None:
    plain = under(lifted("gpt2"), graft(lifted("gpt2"), lifted("gpt2", seed=1), 0.5))
    target, source = (replace(lifted("gpt2", seed=seed), model=tiny("gpt2", seed=seed).train()) for seed in (0, 1))

    found = under(target, graft(target, source, 0.5))

    assert torch.equal(found, plain)
    assert not found.requires_grad
    assert all(module.training for live in (target, source) for module in live.model.modules())


def test_rows_that_are_shuffled_are_noticed() -> None:
    target, source = lifted("llama"), lifted("llama", seed=1)

    with pytest.raises(EditError, match="shuffles the texts"):
        go_on(target, graft(target, source, 0.5), given=[[5, 6, 7, 8], [3, 4, 8, 9]], num_beams=3)

    assert torch.equal(under(target), logits_of(target.model))


def test_a_text_that_it_did_not_read_from_the_start_is_noticed() -> None:
    target, source = lifted("llama"), lifted("llama", seed=1)
    with torch.no_grad():
        begun = target.model(prompt(), use_cache=True).past_key_values

    with LayerInjector(target.model) as injector:
        injector.add(graft(target, source))
        with pytest.raises(EditError, match="has read 0 tokens of this text, the target 10"):
            target.model(torch.tensor([[5]]), past_key_values=begun)
        with pytest.raises(EditError, match="needs the token ids"):
            target.model(inputs_embeds=torch.randn(1, 3, 32))


def test_a_model_cannot_be_its_own_source_while_it_runs() -> None:
    target = lifted("llama")
    edit = graft(target, target)

    with pytest.raises(HookError, match="while another is under way"):
        under(target, edit)
    with LayerInjector(target.model) as injector:
        injector.add(edit)
        with pytest.raises(EditError, match="very model that runs"):
            target.model(prompt())

    assert torch.equal(under(target), logits_of(target.model))


def test_what_does_not_belong_together_is_refused() -> None:
    target, source = lifted("llama"), lifted("llama", seed=1)
    blade = transplant("graft", target, "layer_1", source)

    with pytest.raises(EditError, match="does not read the same tokens"):
        transplant("graft", target, "layer_1", lifted("llama", vocab_size=70))
    with pytest.raises(EditError, match=r"48 wide, layer_1 of the target 32"):
        transplant("graft", target, "layer_1", lifted("llama", hidden_size=48))
    with pytest.raises(EditError, match="was made from"):
        in_force(blade, source=lifted("llama", seed=2))
    with pytest.raises(EditError, match="which is not here"):
        Recipe((in_force(blade),)).taps(target.spec)
    with pytest.raises(EditError, match="reads a source"):
        in_force(replace(bare(kind="transplant", tensors={}, settings={})))

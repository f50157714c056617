"""A blade in force is one line of arithmetic on a block's output, and nothing of it stays."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.compose.folding.affine import Affine, affine_of
from garage_nb.core.batch import prepare
from garage_nb.core.generate import generate
from garage_nb.errors import EditError, UnknownPartError
from garage_nb.inject.blades.edit import BladeEdit, in_force
from garage_nb.inject.edits import Scale, Steer
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.place import place_of
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.sweep import swept_over
from tests.families import HIDDEN, prompt
from tests.inject.blades.making import LEARNED, bare, lifted, under
from tests.inject.blades.naive import hooked
from tests.restored import left_as_it_was, logits_of


def low_rank(**changes: Any) -> Any:
    made = torch.Generator().manual_seed(3)
    shapes = {"down": (HIDDEN, 2), "bias": (2,), "up": (2, HIDDEN)}
    tensors = {name: torch.randn(shape, generator=made) for name, shape in shapes.items()}
    return bare(kind="low_rank", tensors=tensors, settings={"rank": 2}, **changes)


@pytest.mark.parametrize("family", LEARNED)
@pytest.mark.parametrize("alpha", [0.5, 1.0, -2.0])
def test_it_is_the_arithmetic_of_its_kind(family: str, alpha: float) -> None:
    live, east, narrow = lifted(family), bare(), low_rank()
    v, t = east.tensors["direction"], narrow.tensors

    with left_as_it_was(live.model):
        added, adapted = (under(live, in_force(blade, alpha=alpha)) for blade in (east, narrow))

    given = {"input_ids": prompt(), "use_cache": False}
    torch.testing.assert_close(added, hooked(live, 1, lambda hidden: hidden + alpha * v, **given))
    expected = hooked(live, 1, lambda h: h + alpha * ((h @ t["down"] + t["bias"]) @ t["up"]), **given)
    torch.testing.assert_close(adapted, expected)
    assert (added - logits_of(live.model)).abs().max() > 1e-3


@pytest.mark.parametrize("blade", [bare(), low_rank()])
def test_no_strength_changes_no_bit(blade: Any) -> None:
    live = lifted("llama")

    assert torch.equal(under(live, in_force(blade, alpha=0)), logits_of(live.model))
    assert not torch.equal(under(live, in_force(blade)), logits_of(live.model))


@pytest.mark.parametrize("tokens", ["all", "prompt", "generated", "0,-1", "not_first"])
def test_it_touches_the_tokens_that_a_steering_edit_would(tokens: str) -> None:
    live, blade = lifted("gpt2"), bare()
    padded = {"input_ids": [[2, 2, 5, 6], [3, 4, 8, 9]], "attention_mask": [[0, 0, 1, 1], [1, 1, 1, 1]]}
    batch = prepare(padded, live.model)
    steer = Steer("layer_1", blade.tensors["direction"], 0.5, tokens=tokens)
    edit = in_force(blade, alpha=0.5, tokens=tokens)

    assert torch.equal(under(live, edit, ids=batch), under(live, steer, ids=batch))
    written = [
        generate(live.model, batch, one.taps(live.spec), max_new_tokens=4, do_sample=False, pad_token_id=2)
        for one in (Recipe((edit,)), Recipe((steer,)))
    ]
    assert torch.equal(*written)


def test_blades_stack_in_their_order() -> None:
    live, east, narrow = lifted("llama"), bare(), low_rank()
    v, t = east.tensors["direction"], narrow.tensors

    found = under(live, in_force(narrow), Scale("layer_1", 0.5), in_force(east))

    def change(h: torch.Tensor) -> torch.Tensor:
        return 0.5 * (h + (h @ t["down"] + t["bias"]) @ t["up"]) + v

    torch.testing.assert_close(found, hooked(live, 1, change, input_ids=prompt(), use_cache=False))


def test_in_half_precision_it_is_rounded_once() -> None:
    hidden = torch.randn(1, 4, HIDDEN).bfloat16()
    v = bare().tensors["direction"]

    acting = in_force(bare(), alpha=0.3)._acting()

    assert torch.equal(acting(hidden), (hidden.float() + 0.3 * v).bfloat16())


def test_it_acts_in_calls_of_ones_own_and_in_a_sweep() -> None:
    live, edit = lifted("llama"), in_force(bare())
    alone = under(live, edit)

    with LayerInjector(live.model) as injector, torch.no_grad():
        injector.add(edit)
        own = live.model(prompt(), use_cache=False).logits
    recipes = [Recipe(), Recipe((edit,)), Recipe((in_force(bare(), alpha=0),))]
    rows = torch.cat(list(swept_over(live.model, live.spec, prepare(prompt(), live.model), recipes)))

    assert torch.equal(own, alone)
    torch.testing.assert_close(rows, torch.cat([logits_of(live.model), alone, logits_of(live.model)]))


def test_a_direction_is_a_bias_that_can_be_written_into_weights() -> None:
    live = lifted("llama")

    found = affine_of(in_force(bare(), alpha=0.5), place_of(live.spec, "ffn_1"))

    assert isinstance(found, Affine)
    torch.testing.assert_close(found.shift, 0.5 * bare().tensors["direction"].double())
    assert bool((found.scale == 1).all())


def test_it_is_said_as_it_would_be_typed() -> None:
    assert str(in_force(bare(), alpha=0.5, tokens="-1")) == "blade east --at layer_1 --alpha 0.5 --tokens -1"
    assert in_force(bare()) == in_force(bare())
    assert in_force(bare()) != in_force(bare(), alpha=2)


def test_what_does_not_fit_is_refused_before_anything_runs() -> None:
    live = lifted("llama")
    with pytest.raises(EditError, match="is 8 wide, layer_1 is 32"):
        Recipe((in_force(bare(width=8, tensors={"direction": torch.ones(8)})),)).taps(live.spec)
    with pytest.raises(UnknownPartError):
        Recipe((in_force(bare(place="layer_9")),)).taps(live.spec)
    with pytest.raises(EditError, match="is no strength"):
        BladeEdit("layer_1", bare(), "much")  # type: ignore[arg-type]
    with pytest.raises(EditError, match="is no blade"):
        BladeEdit("layer_1", "east", 1.0)  # type: ignore[arg-type]
    with pytest.raises(EditError, match="reads no second model"):
        in_force(bare(), source=live)
    with pytest.raises(EditError, match="no blade of kind"):
        in_force(bare(kind="sword"))
    with pytest.raises(EditError, match=r"The direction of the direction blade 'east' is tensor\(31,\)"):
        in_force(bare(tensors={"direction": torch.ones(31)}))

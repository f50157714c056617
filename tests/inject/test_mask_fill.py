"""A mask with something to put in the place of what goes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from garage_nb.core.batch import prepare
from garage_nb.core.run import logits
from garage_nb.errors import EditError
from garage_nb.garage import Garage
from garage_nb.inject.mask import Mask
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import lift
from tests.families import prompt, tiny

FILL = torch.linspace(-1, 1, 64)


def test_what_goes_becomes_the_fill() -> None:
    model = tiny("llama", layers=1)
    spec = lift(model).spec
    hook = model.model.layers[0].mlp.down_proj.register_forward_pre_hook(
        lambda _, args: (torch.cat([args[0][..., :4], FILL[4:].expand(*args[0].shape[:-1], 60)], -1),)
    )
    with torch.no_grad():
        expected = model(prompt()).logits
    hook.remove()

    found = logits(model, prepare(prompt(), model), [Mask("ffn_0", keep="0:4", fill=FILL).tap(spec)])

    assert torch.allclose(found, expected, atol=1e-6)


def test_it_is_kept_in_a_file_and_typed_again(tmp_path: Path) -> None:
    garage = Garage(tiny("llama", layers=1))

    garage.mask("ffn_0", drop=3, fill=FILL)

    assert Recipe.load(garage.edits.save(tmp_path / "masks.json")) == garage.edits
    written = garage.recipe()
    assert written.magic == "%garage mask ffn_0.neurons --drop 3 --fill @value_1"
    assert torch.equal(written.values["value_1"], FILL)
    assert garage.edits != Recipe((Mask("ffn_0", drop=3),))


def test_what_does_not_fit_is_refused() -> None:
    spec = lift(tiny("llama", layers=1)).spec

    with pytest.raises(EditError, match=r"0\.5 fills no place"):
        Mask("ffn_0", drop=3, fill=0.5)  # type: ignore[arg-type]
    with pytest.raises(EditError, match=r"does not fit ffn_0\.neurons, which is 64 wide"):
        Mask("ffn_0", drop=3, fill=torch.ones(5)).tap(spec)
    with pytest.raises(EditError, match="is not finite"):
        Mask("ffn_0", drop=3, fill=torch.full((64,), torch.nan))

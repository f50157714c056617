"""Who made the first NaN: the edit that did is named, and finding out costs one wait at the end of a run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from garage_nb.core.batch import prepare
from garage_nb.core.generate import generate
from garage_nb.core.run import logits
from garage_nb.errors import NotFiniteError
from garage_nb.inject.edit import Edit
from garage_nb.inject.edits import Add, Noise, Scale, Steer, Through
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.router import RouterBias
from garage_nb.inject.sweep import swept
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import prompt, tiny
from tests.restored import left_as_it_was

HUGE = 1e39  # finite in Python, beyond float32


def run(model: Any, *edits: Edit, ids: Any = None) -> Tensor:
    return logits(model, prepare(prompt() if ids is None else ids, model), Recipe(edits).taps(spec_of(model)))


def nan_at(places: Any) -> Any:
    def fn(hidden: Tensor) -> Tensor:
        changed = hidden.clone()
        changed[places] = torch.nan
        return changed

    return fn


BAD: dict[str, Edit] = {
    "scale layer_1 1e+39": Scale("layer_1", HUGE),
    "noise layer_0 1e+39": Noise("layer_0", HUGE),
    "steer attention_1.head_2 tensor(8,) 1e+39": Steer("attention_1.head_2", torch.full((8,), 3e38), HUGE),
    "through ffn_0.neuron_3 fn": Through("ffn_0.neuron_3", nan_at(0)),
    "scale layer_2 1e+39 --tokens -1": Scale("layer_2", HUGE, tokens="-1"),  # type: ignore[arg-type]
}
every_bad = pytest.mark.parametrize("said", BAD)


@every_bad
@pytest.mark.parametrize("others", ["before", "after"])
def test_the_edit_that_made_it_is_named(llama: Any, said: str, others: str) -> None:
    harmless = (Scale("layer_0", 1.01), Add("layer_2", 0.1))
    edits = (*harmless, BAD[said]) if others == "before" else (BAD[said], *harmless)

    with left_as_it_was(llama), pytest.raises(NotFiniteError) as caught:
        run(llama, *edits)

    assert caught.value.what == f"The edit {said!r} makes NaN or infinity of finite numbers."
    assert str(caught.value).count("\n") == 1


def test_the_first_of_several_is_named(llama: Any) -> None:
    with pytest.raises(NotFiniteError, match="layer_0"):
        run(llama, Scale("layer_2", HUGE), Scale("layer_0", HUGE), Scale("layer_1", HUGE))


def test_a_capture_names_it_and_so_does_generation(llama: Any) -> None:
    taps = Recipe((Scale("layer_1", HUGE),)).taps(spec_of(llama))

    with pytest.raises(NotFiniteError, match="'scale layer_1 1e\\+39' makes"):
        SnapshotCapture(llama).run(prompt(), under=taps)
    with pytest.raises(NotFiniteError, match="'scale layer_1 1e\\+39' makes"):
        generate(llama, prepare(prompt(), llama), taps, max_new_tokens=3, do_sample=False)


def test_an_edit_that_goes_wrong_in_the_middle_of_a_text_is_named(llama: Any) -> None:
    calls: list[int] = []

    def third_time(hidden: Tensor) -> Tensor:
        calls.append(1)
        return hidden * torch.inf if len(calls) == 3 else hidden * 1.0

    with pytest.raises(NotFiniteError, match="through layer_1 third_time"):
        generate(
            llama, prepare(prompt(), llama), Recipe((Through("layer_1", third_time),)).taps(spec_of(llama)),
            max_new_tokens=6, do_sample=False,
        )  # fmt: skip


def test_a_router_and_a_sweep_are_looked_after_too() -> None:
    model = tiny("mixtral")

    with pytest.raises(NotFiniteError, match="bias gate_1 1e\\+39"):
        run(model, Scale("gate_1", 0.5), RouterBias("gate_1", (HUGE, -HUGE, 0, 0)), Scale("gate_1", 2.0))
    recipes = [Recipe((Scale("layer_1", factor),)) for factor in (1.0, HUGE)]
    with pytest.raises(NotFiniteError, match="scale layer_1"):
        list(swept(model, spec_of(model), prepare(prompt(), model), recipes))


def test_a_model_that_overflows_by_itself_is_no_edits_fault(llama: Any) -> None:
    spec = spec_of(llama)
    with torch.no_grad():
        llama.model.layers[0].mlp.down_proj.weight[0, 0] = torch.nan

    assert not run(llama, Scale("layer_1", 0.5)).isfinite().all()
    with pytest.raises(NotFiniteError, match="at layer_0 are NaN"):
        SnapshotCapture(llama).run(prompt(), under=Recipe((Scale("layer_2", 0.5),)).taps(spec))


def test_what_an_edit_makes_of_padding_is_nobodys_concern(llama: Any) -> None:
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    given = {"input_ids": torch.tensor([[3, 1, 4, 1], [5, 9, 2, 2]]), "attention_mask": mask}

    found = run(llama, Through("layer_1", nan_at((1, slice(2, 4)))), ids=given)

    assert found.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_in_any_precision(dtype: torch.dtype) -> None:
    model = tiny("llama").to(dtype)

    assert run(model, Scale("layer_1", 2.0)).isfinite().all()
    with pytest.raises(NotFiniteError, match="scale layer_1 2"):
        run(model, Add("layer_1", torch.finfo(dtype).max), Scale("layer_1", 2), Add("layer_1", torch.finfo(dtype).max))


def test_an_injector_that_is_held_keeps_nothing_of_its_calls(llama: Any) -> None:
    with LayerInjector(llama) as injector:
        injector.inject_scaling("layer_1", 0.5)
        for _ in range(5):
            llama(prompt())

        (attached,) = injector._open.values()
        assert attached.ledger is None
        assert attached._ledger._entries == []


class Waits(TorchDispatchMode):
    """Counts what a device would have to be waited for: numbers taken out of tensors, shapes that hang on values."""

    WAITING = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "item", "equal")

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.overloadpacket.__name__ in self.WAITING
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("count", [1, 5])
def test_edits_wait_for_no_device_on_their_way(llama: Any, count: int) -> None:
    """The one wait is at the end, for the ledger, whose rows go over in one piece."""
    some: list[Any] = [
        Scale("layer_0", 0.5, tokens="0"), Noise("layer_1", 0.1, tokens="not_first"),  # type: ignore[arg-type]
        Steer("ffn_1", torch.ones(32)), Add("attention_1.head_2", 1.0), Scale("layer_2", 2),
    ]  # fmt: skip
    batch = prepare(prompt(), llama)
    taps = Recipe(tuple(some[:count])).taps(spec_of(llama))
    logits(llama, batch)

    waits = []
    for wanted in ((), taps):
        with Waits() as mode:
            logits(llama, batch, wanted)
        waits.append(mode.count)

    assert waits[1] == waits[0]

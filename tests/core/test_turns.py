"""A block that runs several times in a pass: every turn has an address of its own, read and edited alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.core.attach import Attached
from garage_nb.core.batch import Batch
from garage_nb.core.generate import generate
from garage_nb.core.sites import Read, Site
from garage_nb.inject.edits import Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.coverage.zoo import IDS, build, entries
from tests.restored import hooks_on

KNOWN = {str(entry): entry for entry in entries()}
IDS_ROW = torch.tensor([IDS])
LAYERS = ["layer_0", "layer_1", "layer_2"]
BLOCK = "albert.encoder.albert_layer_groups.0.albert_layers.0"


@pytest.fixture
def albert() -> Any:
    return build(KNOWN["masked-albert"])


@pytest.fixture
def hrm() -> Any:
    return build(KNOWN["causal-hrm_text"])


@torch.no_grad()
def by_hand(albert: Any, change: Callable[[int, Tensor], Tensor]) -> tuple[list[Tensor], Tensor]:
    """ALBERT turn by turn, `change` applied to what leaves each; the streams and the logits."""
    inner, stream = albert.albert, []
    hidden = inner.encoder.embedding_hidden_mapping_in(inner.embeddings(IDS_ROW))
    block = inner.encoder.albert_layer_groups[0].albert_layers[0]
    for turn in range(albert.config.num_hidden_layers):
        hidden = change(turn, block(hidden))
        stream.append(hidden)
    return stream, albert.predictions(hidden)


def test_each_turn_is_read_as_transformers_records_it(albert: Any) -> None:
    shots = SnapshotCapture(albert).run(IDS_ROW, layers=LAYERS, keep=True)

    with torch.no_grad():
        recorded = albert(IDS_ROW, output_hidden_states=True).hidden_states[1:]
    hidden = [shots[name].hidden for name in LAYERS]
    assert all(torch.equal(own, theirs) for own, theirs in zip(hidden, recorded, strict=True))  # type: ignore[arg-type]
    assert not torch.equal(hidden[0], hidden[1])  # type: ignore[arg-type]
    assert not torch.equal(hidden[1], hidden[2])  # type: ignore[arg-type]


def test_an_edit_at_one_turn_changes_nothing_before_it(albert: Any) -> None:
    stream, logits = by_hand(albert, lambda turn, hidden: hidden * 0.5 if turn == 1 else hidden)
    taps = Recipe((Scale("layer_1", 0.5),)).taps(spec_of(albert))

    shots = SnapshotCapture(albert).run(IDS_ROW, layers=LAYERS, keep=True, under=taps)
    with LayerInjector(albert) as injector, torch.no_grad():
        injector.inject_scaling("layer_1", 0.5)
        edited = albert(IDS_ROW).logits

    for own, theirs in zip([shots[name].hidden for name in LAYERS], stream, strict=True):
        assert own is not None
        assert torch.allclose(own, theirs, atol=1e-6)
    assert torch.allclose(edited, logits, atol=1e-5)


@pytest.mark.parametrize("place", ["attention_1", "ffn_2", "attention_1.head_2", "ffn_0.neuron_3"])
def test_a_held_edit_acts_alike_in_every_pass(albert: Any, place: str) -> None:
    with torch.no_grad():
        bare = albert(IDS_ROW).logits
        with LayerInjector(albert) as injector:
            injector.inject_scaling(place, -2.0)
            first, second = albert(IDS_ROW).logits, albert(IDS_ROW).logits

        assert torch.equal(first, second)
        assert not torch.equal(first, bare)
        assert torch.equal(albert(IDS_ROW).logits, bare)
    assert hooks_on(albert) == {}


def test_a_pass_that_broke_off_does_not_shift_the_next(albert: Any) -> None:
    """Turns are counted from the call of the model, not from the last one that came through."""
    _, wanted = by_hand(albert, lambda turn, hidden: hidden * 3 if turn == 2 else hidden)
    with LayerInjector(albert) as injector, torch.no_grad():
        injector.inject_scaling("layer_2", 3.0)
        breaks = albert.predictions.register_forward_pre_hook(lambda *_: _raise())  # every turn has run by then
        with pytest.raises(RuntimeError, match="broke off"):
            albert(IDS_ROW)
        breaks.remove()
        after = albert(IDS_ROW).logits

    assert torch.allclose(after, wanted, atol=1e-5)


def test_two_edits_of_two_turns_of_one_module(albert: Any) -> None:
    _, wanted = by_hand(albert, lambda turn, hidden: hidden * (0.5, 1.0, 2.0)[turn])

    with LayerInjector(albert) as injector, torch.no_grad():
        injector.inject_scaling("layer_2", 2.0)
        injector.inject_scaling("layer_0", 0.5)

        assert torch.allclose(albert(IDS_ROW).logits, wanted, atol=1e-5)


def test_a_raw_path_means_every_turn(albert: Any) -> None:
    _, wanted = by_hand(albert, lambda turn, hidden: hidden * 0.5)

    with LayerInjector(albert) as injector, torch.no_grad():
        injector.inject_scaling(BLOCK, 0.5)

        assert torch.allclose(albert(IDS_ROW).logits, wanted, atol=1e-5)


def test_reads_of_turns_are_counted_one_by_one(albert: Any) -> None:
    found: dict[int, Tensor] = {}
    reads = [Read(Site(BLOCK, turn=turn), lambda hidden, turn=turn: found.__setitem__(turn, hidden)) for turn in (0, 2)]

    with Attached(albert, reads) as attached, torch.no_grad():  # type: ignore[arg-type]
        albert(IDS_ROW)

    stream, _ = by_hand(albert, lambda _, hidden: hidden)
    assert attached.fired == {read.site for read in reads}
    assert torch.equal(found[0], stream[0])
    assert torch.equal(found[2], stream[2])


@pytest.mark.parametrize("use_cache", [False, True])
def test_generating_with_an_edit_of_one_turn(hrm: Any, use_cache: bool) -> None:
    """The oracle counts the turns itself, and calls the model anew for every token."""
    block = hrm.model.L_module.layers[0]
    batch = Batch(IDS_ROW, torch.ones_like(IDS_ROW))
    options = {"max_new_tokens": 4, "do_sample": False, "use_cache": use_cache, "eos_token_id": None}
    bare = generate(hrm, batch, **options)

    taps = Recipe((Scale("layer_4", -3.0),)).taps(spec_of(hrm))
    edited = generate(hrm, batch, taps, **options)

    assert edited.tolist() == _continued(hrm, block, turn=4, factor=-3.0, steps=4).tolist()
    assert edited.tolist() != bare.tolist()


@torch.no_grad()
def _continued(model: Any, block: Any, *, turn: int, factor: float, steps: int) -> Tensor:
    ids = IDS_ROW
    for _ in range(steps):
        turns: list[int] = []

        def scaled(module: Any, args: Any, output: Any, turns: list[int] = turns) -> Any:
            turns.append(1)
            if len(turns) - 1 != turn:
                return None
            return (output[0] * factor, *output[1:]) if isinstance(output, tuple) else output * factor

        handle = block.register_forward_hook(scaled)
        ids = torch.cat([ids, model(ids, use_cache=False).logits[:, -1].argmax(-1, keepdim=True)], dim=1)
        handle.remove()
    return ids


def _raise() -> None:
    raise RuntimeError("broke off")

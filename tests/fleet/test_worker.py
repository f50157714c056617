"""A chunk's task: named by all that its answer depends on, and the same bytes in any process."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from garage_nb.core.fingerprint import Fingerprint
from garage_nb.errors import EngineError, LedgerError
from garage_nb.fleet.corpus.text import Chunk, Text
from garage_nb.fleet.driving.task import done
from garage_nb.fleet.readings.edited import Edited
from garage_nb.fleet.readings.firing import Firing
from garage_nb.fleet.readings.losses import Losses
from garage_nb.fleet.readings.plan import Plan
from garage_nb.fleet.readings.probe import Probe
from garage_nb.fleet.readings.record import from_bytes
from garage_nb.fleet.readings.statistics import Statistics
from garage_nb.fleet.reference import at_hand, opened, reference_for
from garage_nb.fleet.worker import ChunkTask
from garage_nb.inject.edits import Noise, Scale, Steer
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import Lifted, lift
from tests.families import tiny
from tests.fleet.texts import texts

NORMS = Statistics(("layer_0", "layer_2"), ("sparsity", "norm"))
CHUNK = Chunk(3, texts(6, labels=("a", "b")))


class Alone(torch.nn.Module):
    """No model of transformers' own."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner, self.config = inner, inner.config

    def forward(self, **given: Any) -> Any:
        return self.inner(**given)


def places(model: Any) -> str:
    return "inner.transformer.h.1" if isinstance(model, Alone) else "layer_1"


def task(lifted: Lifted, folder: Path, *more: Any, edits: Recipe = Recipe()) -> ChunkTask:  # noqa: B008 - a value
    return ChunkTask(reference_for(lifted, folder), Plan((NORMS, *more), Edited.of(edits, folder)), CHUNK)


def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    """Of live models that came from nowhere, in two precisions and with another kernel, and of a stored one; with edits
    that hold tensors.
    """
    edits = Recipe((Steer("layer_1", torch.ones(32), 2.0), Noise("layer_0", 0.1, seed=3)))
    eager = tiny("llama")
    eager.set_attn_implementation("eager")
    tiny("mixtral").save_pretrained(tmp_path / "mixtral")
    live = [lift(tiny("gpt2")), lift(eager), lift(str(tmp_path / "mixtral"), dtype="bfloat16")]
    more = (Losses(("layer_1",), (0.5,)), Probe(("layer_1",)))
    tasks = [task(one, tmp_path, *more, edits=edits) for one in live]
    stored = lift("showroom")
    tasks.append(task(stored, tmp_path, Firing(("ffn_0.neurons",))))

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        theirs = [(report.key, report.data) for report in pool.map(done, tasks)]

    for lifted, one, (key, data) in zip([*live, stored], tasks, theirs, strict=True):
        with at_hand(one.reference, lifted):
            assert opened(one.reference) is lifted
            assert (one.key, one.run()) == (key, data)
            assert one.run() == data
    assert [Path(one.reference.place).name.split("-")[0] for one in tasks] == ["model", "model", "mixtral", "showroom"]


def test_the_key_is_of_what_the_answer_depends_on(tmp_path: Path) -> None:
    lifted = lift(tiny("gpt2"))
    one = task(lifted, tmp_path)
    moved = tuple(replace(text, where=f"file 2, {text.where}") for text in CHUNK.texts)
    elsewhere = replace(one, chunk=Chunk(9, moved), reference=replace(one.reference, place="/elsewhere"))
    others = [
        replace(one, chunk=Chunk(3, CHUNK.texts[:-1])),
        replace(one, chunk=Chunk(3, CHUNK.texts[::-1])),
        replace(one, chunk=Chunk(3, (replace(CHUNK.texts[0], label="c"), *CHUNK.texts[1:]))),
        replace(one, plan=Plan((replace(NORMS, tau=0.2),))),
        replace(one, plan=Plan((Firing(("ffn_0.neurons",)),))),
        task(lifted, tmp_path, edits=Recipe((Scale("layer_0", 0.5),))),
        task(lift(tiny("gpt2", seed=1)), tmp_path),
        task(lift(tiny("gpt2").bfloat16()), tmp_path),
        task(lift(tiny("gpt2", layer_norm_epsilon=1e-3)), tmp_path),
    ]

    keys = [one.key, *(other.key for other in others)]

    assert elsewhere.key == one.key == task(lifted, tmp_path / "again").key
    assert len({*keys}) == len(keys)
    assert all(len(key) == 64 for key in keys)


def test_pieces_are_single_texts_and_without_them_the_rest_is_left(tmp_path: Path) -> None:
    one = task(lift(tiny("gpt2")), tmp_path)

    pieces = one.pieces()

    assert [piece.where for piece in pieces] == [text.where for text in CHUNK.texts]
    assert one.where == "6 texts, line 0 to line 5"
    assert pieces[2].pieces() == [pieces[2]]
    left = one.without([pieces[4], pieces[1]])
    assert left is not None
    assert [text.where for text in left.chunk.texts] == ["line 0", "line 2", "line 3", "line 5"]
    assert left.without(left.pieces()) is None
    assert int(from_bytes(left.run())["texts"].counts) == 4  # type: ignore[union-attr]


def test_saving_leaves_the_live_model_as_it_was(tmp_path: Path) -> None:
    lifted = lift(tiny("llama"))
    config = dict(vars(lifted.model.config))

    first, second = reference_for(lifted, tmp_path), reference_for(lifted, tmp_path)

    assert vars(lifted.model.config) == config
    assert not lifted.baseline.differences(Fingerprint.of(lifted.model))
    assert first == second
    assert [path.name for path in tmp_path.iterdir()] == [f"model-{first.weights[:16]}"]


def test_a_place_that_holds_another_model_is_refused(tmp_path: Path) -> None:
    lifted = lift(tiny("gpt2", seed=7))
    one = task(lifted, tmp_path)
    other = tiny("gpt2", seed=1)
    other.save_pretrained(one.reference.place)

    with pytest.raises(EngineError, match="another model than was asked about"):
        one.run()
    with pytest.raises(EngineError, match="A worker cannot open"):
        replace(one, reference=replace(one.reference, place=str(tmp_path / "gone"))).run()


def test_a_loaded_model_that_was_changed_is_saved_as_it_is_now(tmp_path: Path) -> None:
    lifted = lift("showroom")
    with torch.no_grad():
        next(lifted.model.parameters()).mul_(1.001)

    reference = reference_for(lifted, tmp_path)

    assert Path(reference.place).parent == tmp_path
    assert reference != reference_for(lift("showroom"), tmp_path)


def test_what_no_folder_can_hold_stays_in_this_process(tmp_path: Path) -> None:
    """A class of one's own; and a model cast alive, whose rotary frequencies a loaded one would have in full."""
    for model in (Alone(tiny("gpt2")), tiny("llama").bfloat16()):
        lifted = lift(model)
        one = replace(task(lifted, tmp_path), plan=Plan((Statistics((places(model),), ("norm",)),)))

        with at_hand(one.reference, lifted):
            assert int(from_bytes(one.run())["texts"].counts) == 6  # type: ignore[union-attr]
        with pytest.raises(EngineError, match="no other process can have it"):
            one.run()
        assert not list(tmp_path.iterdir())


def test_several_questions_at_once_to_one_model_end_in_any_order(tmp_path: Path) -> None:
    lifted = lift(Alone(tiny("gpt2")))
    reference = reference_for(lifted, tmp_path)

    with ExitStack() as first, ExitStack() as second:
        for stack in (first, second):
            stack.enter_context(at_hand(reference, lifted))
        first.close()
        assert opened(reference) is lifted
    with pytest.raises(EngineError, match="no other process can have it"):
        opened(reference)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked here")
def test_a_forked_process_has_no_live_model(tmp_path: Path) -> None:
    """It would wait for torch's threads, which did not come along."""
    lifted = lift(Alone(tiny("gpt2")))
    one = task(lifted, tmp_path)

    with at_hand(one.reference, lifted), ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        failure = pool.submit(done, one).exception()

    assert isinstance(failure, EngineError)
    assert "no other process can have it" in failure.what


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(LedgerError, match="The model cannot be written"):
        reference_for(lift(tiny("gpt2")), tmp_path / "file")


def test_a_text_that_the_model_cannot_take_says_so(tmp_path: Path) -> None:
    one = replace(task(lift(tiny("gpt2")), tmp_path), chunk=Chunk(0, (Text("line 7", (3,) * 65),)))

    with pytest.raises(ValueError, match="The prompt has 65 tokens"):
        one.run()

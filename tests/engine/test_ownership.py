"""An edit acts for whoever set it and for nobody else, whatever runs at the same time. Every forward is counted."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.core.attach import Attached
from garage_nb.core.batch import prepare
from garage_nb.core.generate import generate
from garage_nb.core.hooks import HookManager
from garage_nb.core.run import logits
from garage_nb.core.sites import Read, Write, everywhere
from garage_nb.inject.layer import LayerInjector
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import prompt, tiny
from tests.restored import hooks_on, logits_of

from .meeting import Meeting, done, in_thread

ROUNDS = 25
Edit = Callable[[Tensor], Tensor]


def halved(hidden: Tensor) -> Tensor:
    return hidden * 0.5


@torch.no_grad()
def by_hand(model: Any, *edits: tuple[int, Edit]) -> Tensor:
    """The logits under torch's own hooks on a GPT-2's blocks."""
    handles = [model.transformer.h[layer].register_forward_hook(_hook(edit)) for layer, edit in edits]
    try:
        return logits_of(model)
    finally:
        for handle in handles:
            handle.remove()


def _hook(edit: Edit) -> Callable[..., Any]:
    def hook(module: Any, args: Any, output: Any) -> Any:
        return (edit(output[0]), *output[1:]) if isinstance(output, tuple) else edit(output)

    return hook


def forwards_of(model: Any, edit: Edit) -> dict[str, tuple[Callable[[], Tensor], Tensor]]:
    """Ways to run under an edit of block 1 -> (the run, what it must answer)."""
    spec, batch = spec_of(model), prepare(prompt(), model)
    taps = [Write(spec.site("layer_1"), everywhere(edit))]
    camera, options = SnapshotCapture(model), {"max_new_tokens": 3, "do_sample": False}

    def injected() -> Tensor:
        with LayerInjector(model) as injector:
            injector.inject("layer_1", edit)
            return logits_of(model)

    def hooked() -> Tensor:
        with HookManager(model) as hooks:
            hooks.register_injection_hook("transformer.h.1", edit)
            return logits_of(model)

    def captured() -> Tensor:
        hidden = camera.run(prompt(), "layer_2", under=taps, keep=True)["layer_2"].hidden
        assert hidden is not None
        return hidden

    runs = {
        "injector": injected,
        "hooks": hooked,
        "capture": captured,
        "logits": lambda: logits(model, batch, taps),
        "generate": lambda: generate(model, batch, taps, **options),
    }
    return {name: (run, run()) for name, run in runs.items()}


WAYS = ["injector", "hooks", "capture", "logits", "generate"]


@pytest.mark.parametrize("way", WAYS)
def test_plain_forwards_while_another_thread_stands_inside_an_edited_run(gpt2: Any, way: str) -> None:
    """The edit itself holds its own run up, in the middle of block 1, until a whole plain forward has gone by."""
    bare, meeting, meets = logits_of(gpt2), Meeting(), [False]
    oracle = by_hand(gpt2, (1, halved))

    def waiting(hidden: Tensor) -> Tensor:
        if meets[0]:
            meeting.pause()
        return hidden * 0.5

    run, wanted = forwards_of(gpt2, waiting)[way]
    if wanted.shape == bare.shape:
        assert torch.equal(wanted, oracle)
    pauses = 3 if way == "generate" else 1
    meets[0] = True

    other = in_thread(lambda: sum(torch.equal(run(), wanted) for _ in range(ROUNDS)))
    plain = [meeting.meanwhile(lambda: logits_of(gpt2)) for _ in range(ROUNDS * pauses)]

    assert done(other) == ROUNDS  # every edited run was edited
    assert sum(not torch.equal(one, bare) for one in plain) == 0
    assert hooks_on(gpt2) == {}


@pytest.mark.parametrize("way", WAYS)
def test_edited_runs_while_a_plain_forward_stands_still(gpt2: Any, way: str) -> None:
    """The other way round: a hook of the user's own holds a plain forward up after block 0."""
    bare, meeting, here = logits_of(gpt2), Meeting(), threading.current_thread()
    run, wanted = forwards_of(gpt2, halved)[way]

    def wait(*_: Any) -> None:
        if threading.current_thread() is not here:
            meeting.pause()

    handle = gpt2.transformer.h[0].register_forward_hook(wait)
    other = in_thread(lambda: [logits_of(gpt2) for _ in range(ROUNDS)])
    answers = [meeting.meanwhile(run) for _ in range(ROUNDS)]

    assert sum(torch.equal(answer, wanted) for answer in answers) == ROUNDS
    assert sum(not torch.equal(one, bare) for one in done(other)) == 0
    handle.remove()
    assert hooks_on(gpt2) == {}


@pytest.fixture
def eager_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switching")
def test_many_threads_that_open_close_run_and_sweep_at_once(gpt2: Any) -> None:
    """Nobody takes turns here; tables are changed by some threads while others walk through them."""
    bare = logits_of(gpt2)
    ways = forwards_of(gpt2, halved)

    def edited(way: str) -> int:
        run, wanted = ways[way]
        return sum(torch.equal(run(), wanted) for _ in range(ROUNDS))

    others = [in_thread(lambda way=way: edited(way)) for way in WAYS]  # type: ignore[misc]
    contaminated, plain = 0, 0
    while plain < ROUNDS or not all(other.done() for other in others):
        contaminated += not torch.equal(logits_of(gpt2), bare)
        plain += 1

    assert [done(other) for other in others] == [ROUNDS] * len(WAYS)
    assert contaminated == 0, f"{contaminated} of {plain}"
    assert hooks_on(gpt2) == {}


def test_plain_forwards_of_a_task_while_another_awaits_inside_its_block(gpt2: Any) -> None:
    """Both run on one thread, as callbacks do while an `async` cell awaits."""
    bare, wanted = logits_of(gpt2), by_hand(gpt2, (1, halved))

    async def edited(turns: asyncio.Queue[int]) -> int:
        right = 0
        with LayerInjector(gpt2) as injector:
            injector.inject("layer_1", halved)
            for turn in range(ROUNDS):
                right += torch.equal(logits_of(gpt2), wanted)
                await turns.put(turn)
                await turns.join()  # until the other has run
                right += torch.equal(logits_of(gpt2), wanted)
        return right

    async def plain(turns: asyncio.Queue[int]) -> int:
        contaminated = 0
        for _ in range(ROUNDS):
            await turns.get()
            contaminated += not torch.equal(logits_of(gpt2), bare)
            SnapshotCapture(gpt2).run(prompt())  # sweeps, and must not take the other's edit
            turns.task_done()
        return contaminated

    async def both() -> list[int]:
        turns: asyncio.Queue[int] = asyncio.Queue()
        return await asyncio.gather(edited(turns), plain(turns))

    assert looped(both) == [2 * ROUNDS, 0]
    assert hooks_on(gpt2) == {}


def test_a_task_made_inside_the_block_inherits_it_until_the_block_ends(gpt2: Any) -> None:
    bare, wanted = logits_of(gpt2), by_hand(gpt2, (1, halved))

    async def look() -> Tensor:
        return logits_of(gpt2)

    async def cell() -> tuple[Tensor, Tensor]:
        with LayerInjector(gpt2) as injector:
            injector.inject("layer_1", halved)
            inside = await asyncio.create_task(look())
            late = asyncio.create_task(look())
        return inside, await late

    inside, late = looped(cell)

    assert torch.equal(inside, wanted)
    assert torch.equal(late, bare)


def test_a_thread_inherits_only_when_it_is_started_in_the_context(gpt2: Any) -> None:
    bare, wanted, meeting = logits_of(gpt2), by_hand(gpt2, (1, halved)), Meeting()

    with LayerInjector(gpt2) as injector:
        injector.inject("layer_1", halved)
        inherited = done(in_thread(lambda: logits_of(gpt2), inherits=True))
        apart = done(in_thread(lambda: logits_of(gpt2)))
        late = in_thread(lambda: meeting.meanwhile(lambda: logits_of(gpt2)), inherits=True)
    meeting.pause()

    assert torch.equal(inherited, wanted)
    assert torch.equal(apart, bare)
    assert torch.equal(done(late), bare)  # the block was over


def test_an_injector_without_a_block_acts_in_every_context_of_its_thread_and_in_no_other(gpt2: Any) -> None:
    bare, wanted = logits_of(gpt2), by_hand(gpt2, (1, halved))

    async def in_a_task() -> Tensor:
        return await asyncio.create_task(_answer(gpt2))

    def here() -> None:
        injector = LayerInjector(gpt2)
        injector.inject("layer_1", halved)
        assert torch.equal(logits_of(gpt2), wanted)
        assert torch.equal(Context().run(logits_of, gpt2), wanted)
        assert torch.equal(Context().run(lambda: asyncio.run(in_a_task())), wanted)
        assert torch.equal(done(in_thread(lambda: logits_of(gpt2))), bare)
        injector.remove_all()

    done(in_thread(here))
    assert torch.equal(logits_of(gpt2), bare)
    assert hooks_on(gpt2) == {}


def looped(cell: Callable[[], Any]) -> Any:
    """On a thread of its own: this one may have a loop running already."""
    return done(in_thread(lambda: asyncio.run(cell())))


async def _answer(model: Any) -> Tensor:
    return logits_of(model)


@pytest.mark.parametrize("in_block", [True, False])
def test_a_held_injector_closed_from_another_thread(gpt2: Any, in_block: bool) -> None:
    bare, wanted = logits_of(gpt2), by_hand(gpt2, (1, halved))
    injector = LayerInjector(gpt2)
    if in_block:
        injector.__enter__()
    injector.inject("layer_1", halved)
    assert torch.equal(logits_of(gpt2), wanted)

    done(in_thread(injector.remove_all))

    assert torch.equal(logits_of(gpt2), bare)
    assert hooks_on(gpt2) == {}
    assert injector.list_injections() == []


def test_two_models_do_not_meet() -> None:
    first, second = tiny("gpt2"), tiny("gpt2", seed=1)
    bare, wanted = logits_of(second), by_hand(first, (1, halved))

    with LayerInjector(first) as injector:
        injector.inject("layer_1", halved)
        with LayerInjector(second) as other:
            other.inject("layer_0", torch.zeros_like)
            assert torch.equal(logits_of(first), wanted)
            assert torch.equal(logits_of(second), by_hand(second, (0, torch.zeros_like)))
        assert torch.equal(logits_of(second), bare)
        assert torch.equal(logits_of(first), wanted)


def test_nested_blocks_add_up_and_end_one_by_one(gpt2: Any) -> None:
    outer_only, both = by_hand(gpt2, (0, halved)), by_hand(gpt2, (0, halved), (2, torch.neg))

    with LayerInjector(gpt2) as outer:
        outer.inject("layer_0", halved)
        with LayerInjector(gpt2) as inner:
            inner.inject("layer_2", torch.neg)
            assert torch.equal(logits_of(gpt2), both)
        assert torch.equal(logits_of(gpt2), outer_only)


def test_blocks_of_two_threads_on_one_block_of_the_model(gpt2: Any) -> None:
    """Each stands inside its own edited run while the other's goes by."""
    mine, theirs = by_hand(gpt2, (1, halved)), by_hand(gpt2, (1, torch.neg))
    meeting = Meeting()

    def waiting(hidden: Tensor) -> Tensor:
        meeting.pause()
        return -hidden

    def other() -> int:
        with LayerInjector(gpt2) as injector:
            injector.inject("layer_1", waiting)
            return sum(torch.equal(logits_of(gpt2), theirs) for _ in range(ROUNDS))

    running = in_thread(other)
    with LayerInjector(gpt2) as injector:
        injector.inject("layer_1", halved)
        right = sum(torch.equal(meeting.meanwhile(lambda: logits_of(gpt2)), mine) for _ in range(ROUNDS))

    assert (right, done(running)) == (ROUNDS, ROUNDS)
    assert hooks_on(gpt2) == {}


@pytest.mark.parametrize("shared", ["the same model", "a part of it"])
def test_blocks_left_out_by_one_thread_run_in_another(shared: str) -> None:
    """A block that answers with what was kept does so for its owner alone, and is gone when both have finished."""
    model, meeting = tiny("gpt2"), Meeting()
    spec, batch = spec_of(model), prepare(prompt(), model)
    asked, meets = (model if shared == "the same model" else model.transformer), [False]
    with torch.no_grad():
        bare = asked(prompt(), use_cache=False)[0]

    def waiting(hidden: Tensor) -> Tensor:
        if meets[0]:
            meeting.pause()
        return hidden * 0.5

    taps = [Write(spec.site("layer_1"), everywhere(waiting), by="halved")]
    wanted = logits(model, batch, taps, chain=spec.chain)
    meets[0] = True
    other = in_thread(lambda: sum(torch.equal(logits(model, batch, taps, chain=spec.chain), wanted) for _ in range(5)))

    def plain() -> Tensor:
        assert any("forward" in vars(module) for module in model.modules())  # blocks are being left out right now
        with torch.no_grad():
            return asked(prompt(), use_cache=False)[0]

    contaminated = sum(not torch.equal(meeting.meanwhile(plain), bare) for _ in range(5))

    assert (contaminated, done(other)) == (0, 5)
    assert not any("forward" in vars(module) for module in model.modules())


@pytest.mark.usefixtures("eager_switching")
def test_opening_and_closing_at_one_place_from_three_threads_at_once() -> None:
    """Each keeps the order of one hook table while the others take their entries out of it."""
    model = tiny("gpt2", layers=1)
    site = spec_of(model).site("layer_0")
    taps = [Write(site, everywhere(halved)), Read(site, lambda hidden: None)]

    def open_and_close() -> int:
        for _ in range(1_500):
            with Attached(model, taps):
                pass
        return 1_500

    others = [in_thread(open_and_close) for _ in range(3)]

    assert [done(other) for other in others] == [1_500] * 3
    assert hooks_on(model) == {}

"""Prefix: the blocks before the first change need not run again when what left them was kept.

An earlier run keeps what left the block before each edit. A later one that finds it, made from the same tokens, weights
and earlier edits, answers the blocks before with it: the same bits at a fraction of the work. That a model allows this
(no block hands anything to a later one but what it returns) is proved on a short prompt before it is relied on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .attach import Answers, Attached
from .batch import Batch
from .chain import Chain, Link
from .kept import Kept, again, shelf_of, state_of
from .sites import Site, Tap, Watch, Write
from .skip import Answer
from .walk import modules_of

_PROVED: WeakKeyDictionary[nn.Module, dict[Hashable, bool]] = WeakKeyDictionary()


@dataclass(eq=False)
class Prefix:
    """What one run can leave out. `keep` is called with the cache it filled, if any, once it is done.

    `complete` says whether all that can be kept of it has passed.
    """

    answers: Answers = field(default_factory=dict)
    taps: list[Tap] = field(default_factory=list)
    keep: Callable[[Any], None] = lambda cache: None
    complete: Callable[[], bool] = lambda: True


def prefix_of(
    model: nn.Module,
    batch: Batch,
    taps: Sequence[Tap],
    chain: Chain,
    proved: Callable[[int], bool],
    *,
    cached: bool = False,
) -> Prefix:
    """`cached`: for a run that fills a cache. Nothing is left out of a model that somebody else watches: their hooks
    are to see every block.
    """
    before = dict(_edits_before(chain, taps)) if len(chain) else {}
    state = state_of(model) if before and not _watched(model) else None
    if state is None:
        return Prefix()
    shelf = shelf_of(model)
    fitting = {first: shelf.find(first, state, batch, edits, cached=cached) for first, edits in before.items()}
    found = {first: kept for first, kept in fitting.items() if kept is not None}
    start = max((first for first in found if proved(first)), default=0)
    recorders = {first: recorded(chain, first) for first in before if first not in found and first > start}

    def keep(cache: Any) -> None:
        for first, recorder in recorders.items():
            pairs = keys_values(cache, chain, first, batch.input_ids.shape[1]) if cached else ()
            if recorder.complete and pairs is not None:
                shelf.put(Kept(state, batch, before[first], recorder.outputs, first, pairs))

    def complete() -> bool:
        return all(recorder.complete for recorder in recorders.values())

    answers = answers_for(chain, found[start]) if start else {}
    return Prefix(answers, [tap for one in recorders.values() for tap in one.taps()], keep, complete)


def keys_values(cache: Any, chain: Chain, first: int, seq: int) -> tuple[tuple[Tensor, Tensor], ...] | None:
    """What the blocks before `first` put into a cache for the first `seq` tokens.

    None for a cache that is not one growing layer for each block: what others forget cannot be given again.
    """
    from transformers.cache_utils import DynamicCache, DynamicLayer

    plain = type(cache) is DynamicCache and all(type(layer) is DynamicLayer for layer in cache.layers)
    if not plain or len(cache.layers) != len(chain):
        return None
    pairs = ((layer.keys, layer.values) for layer in cache.layers[:first])
    return tuple((keys[..., :seq, :].clone(), values[..., :seq, :].clone()) for keys, values in pairs)


def answers_for(chain: Chain, kept: Kept) -> Answers:
    """Every block left out of a stack returns what the last one of them did: the model's loop looks at no other."""
    answers: dict[str, dict[int | None, Answer]] = {}
    for layer, link in enumerate(chain.links[: kept.first]):
        cached = kept.cached[layer] if kept.cached else None
        answers.setdefault(link.path, {})[link.turn] = Answer(kept.outputs[str(link.stack)], layer, cached)
    return answers


def recorded(chain: Chain, first: int) -> Recorder:
    """What to attach so that the blocks before `first` need not run again."""
    return Recorder(chain, first)


def proves(
    model: nn.Module, chain: Chain, first: int, batch: Batch, run: Callable[[], tuple[Sequence[Tensor], Any]]
) -> bool:
    """Whether a run over a short prompt gives the same bits with the blocks before `first` left out.

    `run` answers with what is compared, and the cache it filled, None for one that fills none.
    """
    recorder = recorded(chain, first)
    try:
        with Attached(model, recorder.taps()) as attached:
            whole, cache = run()
        filled = attached.standing.cache or cache
        pairs = () if filled is None else keys_values(filled, chain, first, batch.input_ids.shape[1])
        kept = Kept((), batch, (), recorder.outputs, first, pairs or ())
        with Attached(model, (), answers=answers_for(chain, kept)):
            again, _ = run()
    except Exception:  # whatever a model raises that is not called as it expects: nothing of it can be left out
        return False
    return pairs is not None and all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))


def proved_for(model: nn.Module, what: Hashable, prove: Callable[[], bool]) -> bool:
    """Asked once for each model and way of leaving blocks out."""
    known = _PROVED.setdefault(model, {})
    if what not in known:
        known[what] = prove()
    return known[what]


def _edits_before(chain: Chain, taps: Sequence[Tap]) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Where each edit begins to act, now or next, if blocks come before it, with what changes those: nothing unknown.

    What is read must run, so nothing behind the first reading can be left out.
    """
    writes = [(chain.start(tap.site), tap.by) for tap in taps if isinstance(tap, Write)]
    reach = chain.first(tap.site for tap in taps if not isinstance(tap, Write))
    starts = chain.ahead | {start for start, _ in writes}
    for first in sorted(start for start in starts if 0 < start <= reach):
        edits = tuple(by for start, by in writes if start < first)
        if None not in edits:
            yield first, edits


def _watched(model: nn.Module) -> bool:
    """By hooks of others, but for those that transformers leaves behind for good, or by edits held in force."""
    tables = (table for module in modules_of(model) for table in (module._forward_hooks, module._forward_pre_hooks))
    hooks = (fn for table in tables for fn in list(table.values()))  # other threads may change them
    return not all(map(_is_recorder, hooks))


def _is_recorder(fn: Any) -> bool:
    return getattr(fn, "__module__", "").startswith("transformers.utils.output_capturing")


class Recorder:
    """Keeps what left the last block before `first`, and the last one of an encoder before it."""

    def __init__(self, chain: Chain, first: int) -> None:
        self.outputs: dict[str, Any] = {}
        self._last = {str(link.stack): link for link in chain.links[:first]}

    @property
    def complete(self) -> bool:
        return self.outputs.keys() == self._last.keys()

    def taps(self) -> Iterator[Watch]:
        return (Watch(Site(link.path), self._at(link), untouched=True) for link in self._last.values())

    def _at(self, link: Link) -> Callable[[nn.Module, Any], None]:
        calls = 0

        def left(module: nn.Module, output: Any) -> None:
            nonlocal calls
            if link.turn in (None, calls):
                self.outputs.setdefault(str(link.stack), again(output))
            calls += 1

        return left

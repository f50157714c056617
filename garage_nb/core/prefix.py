"""Prefix: the blocks before the first change need not run again when what left them was kept.

An earlier run keeps what left the block before each edit. A later one that finds it, made from the same tokens, weights
and earlier edits, answers the blocks before with it: the same bits at a fraction of the work. That a model allows this
(no block hands anything to a later one but what it returns) is proved on a short prompt before it is relied on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

from .attach import Answers
from .batch import Batch
from .chain import Chain, Link
from .kept import Kept, again, shelf_of, state_of
from .sites import Site, Tap, Watch, Write

_PROVED: WeakKeyDictionary[nn.Module, dict[int, bool]] = WeakKeyDictionary()


@dataclass(eq=False)
class Prefix:
    """What one run can leave out, and what it keeps for later ones. `first` is the first block that runs."""

    chain: Chain
    first: int = 0
    answers: Answers = field(default_factory=dict)
    taps: list[Tap] = field(default_factory=list)
    keep: Callable[[], None] = lambda: None


def prefix_of(
    model: nn.Module, batch: Batch, taps: Sequence[Tap], chain: Chain, proved: Callable[[int], bool]
) -> Prefix:
    """Nothing is left out of a model that somebody else watches: their hooks are to see every block."""
    state = state_of(model) if len(chain) and not _watched(model) else None
    before = {} if state is None else dict(_edits_before(chain, taps))
    if state is None or not before:
        return Prefix(chain)
    shelf = shelf_of(model)
    found = {first: kept for first, edits in before.items() if (kept := shelf.find(first, state, batch, edits))}
    start = max((first for first in found if proved(first)), default=0)
    recorders = {first: _Recorder(chain, first) for first in before if first not in found and first > start}

    def keep() -> None:
        for first, recorder in recorders.items():
            if recorder.complete:
                shelf.put(Kept(state, batch, before[first], recorder.outputs, first))

    answers = answers_for(chain, found[start]) if start else {}
    return Prefix(chain, start, answers, [tap for one in recorders.values() for tap in one.taps()], keep)


def answers_for(chain: Chain, kept: Kept) -> Answers:
    """Every block left out of a stack returns what the last one of them did: the model's loop looks at no other."""
    answers: dict[str, dict[int | None, Any]] = {}
    for link in chain.links[: kept.first]:
        answers.setdefault(link.path, {})[link.turn] = kept.outputs[str(link.stack)]
    return answers


def recorded(chain: Chain, first: int) -> _Recorder:
    """What to attach so that the blocks before `first` need not run again."""
    return _Recorder(chain, first)


def proved_for(model: nn.Module, first: int, prove: Callable[[], bool]) -> bool:
    """Asked once for each model and block."""
    known = _PROVED.setdefault(model, {})
    if first not in known:
        known[first] = prove()
    return known[first]


def _edits_before(chain: Chain, taps: Sequence[Tap]) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Each block that is changed and has others before it, with what changes those: none of it may be unknown.

    What is read must run, so nothing behind the first reading can be left out.
    """
    writes = [tap for tap in taps if isinstance(tap, Write)]
    reach = chain.first(tap.site for tap in taps if not isinstance(tap, Write))
    for first in sorted({place for write in writes if 0 < (place := chain.place(write.site)) <= reach}):
        edits = tuple(write.by for write in writes if chain.place(write.site) < first)
        if None not in edits:
            yield first, edits


def _watched(model: nn.Module) -> bool:
    """By hooks of others, but for those that transformers leaves behind for good, or by edits held in force."""
    tables = (table for module in model.modules() for table in (module._forward_hooks, module._forward_pre_hooks))
    hooks = (fn for table in tables for fn in table.values())
    return any(not _is_recorder(fn) for fn in hooks)


def _is_recorder(fn: Any) -> bool:
    return getattr(fn, "__module__", "").startswith("transformers.utils.output_capturing")


class _Recorder:
    """Keeps what left the last block before `first`, and the last one of an encoder before it."""

    def __init__(self, chain: Chain, first: int) -> None:
        self.outputs: dict[str, Any] = {}
        self._last = {str(link.stack): link for link in chain.links[:first]}

    @property
    def complete(self) -> bool:
        return self.outputs.keys() == self._last.keys()

    def taps(self) -> Iterator[Watch]:
        return (Watch(Site(link.path), self._at(link)) for link in self._last.values())

    def _at(self, link: Link) -> Callable[[nn.Module, Any], None]:
        calls = 0

        def left(module: nn.Module, output: Any) -> None:
            nonlocal calls
            if link.turn in (None, calls):
                self.outputs[str(link.stack)] = again(output)
            calls += 1

        return left

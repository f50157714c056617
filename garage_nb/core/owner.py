"""Owner: who set a hook. A hook acts only in the runs of its owner, whatever else goes on in this process.

Ownership follows the context (`contextvars`), not the thread: a slider that fires while a cell awaits something runs on
the same thread, yet must not meet the cell's edits. A plain thread starts with an empty context; one that is to inherit
is started with `copy_context().run`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from . import eager
from .ledger import Ledger
from .sites import Site
from .standing import Standing

_HERE: ContextVar[tuple[Owner, ...]] = ContextVar("garage_nb_owners", default=())
_OWN_RUN: ContextVar[bool] = ContextVar("garage_nb_own_run", default=False)


class Owner:
    """Owns hooks from `begin` to `end`, and knows what they share in the run under way."""

    def __init__(self, after: Callable[[], None] | None = None, standing: Standing | None = None) -> None:
        """`after` is called each time reads have been made."""
        self.fired: set[Site] = set()
        self.standing = standing or Standing()
        self._ledger = Ledger()
        self._after = after
        self._began_in: threading.Thread | None = None
        self._open = self._held = self._everywhere = self._aside = False
        self._statement: Callable[[], object] | None = None

    def begin(
        self,
        *,
        hold: bool = False,
        thread: bool = False,
        aside: bool = False,
        statement: Callable[[], object] | None = None,
    ) -> None:
        """`hold`: from one pass to the next, until `end`. `thread`: in every context of this thread. `aside`: not in
        runs of our own, only where somebody calls the model.

        `statement` answers None once the `with` statement that is to end this is gone.
        """
        self._statement, self._aside = statement, aside
        self._began_in = threading.current_thread()  # not its ident, which a later thread may be given again
        self._held, self._everywhere, self._open = hold, thread, True
        _HERE.set((*_open_here(), self))
        if hold:
            eager.hold(self)

    def end(self) -> None:
        self._open = False
        eager.let_go(self)
        _HERE.set(_open_here())

    @property
    def acting(self) -> bool:
        here = self in _HERE.get() or (self._everywhere and self._in_thread)
        return self._open and not self._left and here and not (self._aside and in_own_run())

    @property
    def ledger(self) -> Ledger | None:
        """What the edits of one run leave; None where they are held, for nobody says when a run of those is over."""
        return None if self._held else self._ledger

    @property
    def stale(self) -> bool:
        """Nothing will end it: ended halfway, or the pass or the block it served was interrupted at its edge."""
        return not self._open or self._left or (self._in_thread and not self._held)

    @property
    def _left(self) -> bool:
        return self._statement is not None and self._statement() is None

    @property
    def _in_thread(self) -> bool:
        return self._began_in is threading.current_thread()

    def made(self, sites: Iterable[Site]) -> None:
        """Reads were made at these sites."""
        self.fired.update(sites)
        if self._after is not None:
            self._after()


@contextmanager
def own_run_here() -> Iterator[None]:
    """While a run of ours lasts, in its context."""
    before = _OWN_RUN.get()
    _OWN_RUN.set(True)
    try:
        yield
    finally:
        _OWN_RUN.set(before)


def in_own_run() -> bool:
    return _OWN_RUN.get()


def no_own_run_here() -> None:
    """After an interrupt that left one unfinished."""
    _OWN_RUN.set(False)


def _open_here() -> tuple[Owner, ...]:
    return tuple(owner for owner in _HERE.get() if owner._open)

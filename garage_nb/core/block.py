"""Block: edits and hooks that stay in force for a `with` block, or without one until they are taken back.

An interrupt can end a block before its `__exit__` has done anything. But the `with` statement itself holds the bound
method it looked up on entering, and lets go of it whatever ends the block. So what the block held is deaf from that
instant on, and the next sweep takes it down.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import MethodType, TracebackType
from typing import Any, TypeVar
from weakref import ref

from .attach import Attached

B = TypeVar("B", bound="Block")


class _Exit:
    """An `__exit__` that is one object for as long as the statement which looked it up stands."""

    def __get__(self, block: Any, kind: Any = None) -> Any:
        if block is None:
            return Block.leave
        standing = block._statement()
        if standing is None:
            standing = MethodType(Block.leave, block)
            block._statement = ref(standing)
        return standing


class Block:
    """What was attached, by name, in the order it acts."""

    __exit__ = _Exit()

    def __init__(self, *, aside: bool = False) -> None:
        """`aside`: not in runs of our own, only where somebody calls the model."""
        self._aside = aside
        self._open: dict[str, Attached] = {}
        self._in_block = False
        self._statement: Any = _no_statement

    def __enter__(self: B) -> B:
        self._in_block = True
        return self

    def leave(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove_all()

    def hold(self, name: str, attached: Attached) -> None:
        """In force in the context of the block; without one, in the thread that asks."""
        self._open[name] = attached
        statement = self._statement if self._statement() is not None else None
        attached.hold(thread=not self._in_block, aside=self._aside, statement=statement)

    def remove_all(self) -> None:
        with ExitStack() as stack:  # every one is closed even if an earlier one raises
            for attached in self._open.values():
                stack.callback(attached.close)
        self._open.clear()

    def let_go(self, name: str) -> None:
        """Closed before it is forgotten: an interrupt between the two leaves nothing that nobody can close."""
        self._open[name].close()
        del self._open[name]


def _no_statement() -> None:
    """Entered by hand, or through an ExitStack."""

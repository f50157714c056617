"""One live widget of a kind for each target, and for each garage.

ipywidgets keeps every widget ever made; a cell that is run again would leave one more that still listens.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

_live: WeakSet[Any] = WeakSet()


def take_over(widget: Any) -> None:
    """Close the others of its kind that it stands in for, and those whose target is gone."""
    for other in list(_live):
        if other is not widget and type(other).__name__ == type(widget).__name__ and _is_over(other, widget):
            other.close()
            _live.discard(other)
    _live.add(widget)


def _is_over(old: Any, new: Any) -> bool:
    """A garage is looked at too: it may have another model on its lift by now."""
    gone = old.target is None or old.target == new.target
    return gone or (old.home is not None and old.home is new.home)

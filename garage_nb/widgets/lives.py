"""One live widget of a kind for each target. ipywidgets keeps every widget ever made; a cell that is run again would
leave one more that still listens.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

_live: WeakSet[Any] = WeakSet()


def take_over(widget: Any) -> None:
    """Close widgets of this kind on the same target, and those whose target is gone."""
    for other in list(_live):
        same_kind = other is not widget and type(other).__name__ == type(widget).__name__
        if same_kind and (other.target is None or other.target == widget.target):
            other.close()
            _live.discard(other)
    _live.add(widget)

"""Progress: a bar for what takes longer than a second, gone when it is done.

It is text on stderr, in a notebook too: the bar that tqdm draws as a widget there stays in the saved file for good, as
it stood when it was last drawn.
"""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

LEAST = 1  # seconds


def progress(doing: str, unit: str, total: int | None = None) -> tqdm[Any]:
    """To be closed, and told of every step: `with progress("measuring", "run", 192) as bar: bar.update()`."""
    return tqdm(desc=doing, unit=unit, total=total, delay=LEAST, leave=False)

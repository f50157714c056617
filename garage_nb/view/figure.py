"""Plot: a matplotlib figure that shows itself without pyplot, with words for those who cannot see it."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
SCALE = 2  # pixels per point of the notebook, so that it is sharp on a dense screen


class Plot:
    """`.axes` and `.figure` are matplotlib's own, to restyle; `alt` says in words what is drawn."""

    def __init__(self, axes: Axes, alt: str) -> None:
        self.axes, self.alt = axes, alt
        self.figure: Figure = axes.get_figure(root=True)  # type: ignore[assignment]

    def png(self) -> bytes:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=self.figure.dpi * SCALE, transparent=True)
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write png, svg or pdf, by the name's ending; written beside and renamed."""
        target = Path(path)
        if target.suffix not in FORMATS or not target.parent.is_dir():
            raise InputError(
                f"A picture cannot be written to {str(path)!r}.", f"Give a file that ends in {', '.join(FORMATS)}."
            )
        handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=target.suffix)
        os.close(handle)
        try:
            self.figure.savefig(temporary, transparent=True)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
        return target

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        width, height = (int(side * self.figure.dpi) for side in self.figure.get_size_inches())
        size = {"width": width, "height": height, "alt": self.alt}
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": size}

"""Plot: a matplotlib figure that shows itself without pyplot, with words for those who cannot see it."""

from __future__ import annotations

import io
import os
import tempfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..plain import one_line
from . import markup
from .saving import ENDINGS
from .shown import Shown
from .terminal import LINE, wrapped

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
SCALE = 2  # pixels per point of the notebook, so that it is sharp on a dense screen


class Plot(Shown):
    """`.axes` and `.figure` are matplotlib's own, to restyle; `alt` says in words what is drawn, `frame` in numbers.

    A figure of pyplot's is left to pyplot to show: of one drawn on those, only the words are shown here.
    """

    def __init__(self, axes: Axes, alt: str, frame: Callable[[], pd.DataFrame]) -> None:
        self.axes, self.alt, self._frame = axes, one_line(alt), frame
        self.figure: Figure = axes.get_figure(root=True)  # type: ignore[assignment]

    def png(self) -> bytes:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=self.figure.dpi * SCALE, transparent=True)
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write png, svg or pdf, by the name's ending, beside and renamed; for csv or parquet the numbers drawn."""
        target = Path(path)
        if target.suffix in ENDINGS:
            return super().save(target)
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

    def frame(self) -> pd.DataFrame:
        """The numbers drawn."""
        return self._frame()

    def picture(self) -> Plot:
        return self

    def text(self) -> str:
        return "\n".join(wrapped(self.alt, LINE))

    def html(self) -> str:
        """The only form in which JupyterLab tells a screen reader what is drawn."""
        return self._html(self.png()) if self._is_ours else markup.text(self.alt)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Also as a png: pages made of a notebook, and some notebooks, know no other picture."""
        words = {"text/plain": self.text()}
        if not self._is_ours:
            return {**words, "text/html": self._repr_html_()}, {}
        png, (width, height) = self.png(), self._size
        data = {**words, "text/html": markup.page(self._html(png)), "image/png": png}
        return data, {"image/png": {"width": width, "height": height, "alt": self.alt}}

    @property
    def _is_ours(self) -> bool:
        return self.figure.canvas.manager is None

    @property
    def _size(self) -> tuple[int, int]:
        """In pixels of a page."""
        width, height = (int(side * self.figure.dpi) for side in self.figure.get_size_inches())
        return width, height

    def _html(self, png: bytes) -> str:
        source = f"data:image/png;base64,{b64encode(png).decode('ascii')}"
        style = "max-width:100%;height:auto;background:none"
        return f'<img src="{source}" alt="{markup.line(self.alt)}" width="{self._size[0]}" style="{style}">'

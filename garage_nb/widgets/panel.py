"""The frame every widget stands in: what the page may change, errors that show, one live widget per target.

A new widget is a subclass with its own traits and a `static/<name>.js` that exports `render`; `script` joins
`static/panel.js` in front of it. A trait the page may change carries `.tag(sync=True, front=True)` and refuses bad
values in its own `validate`, which runs the same for Python and for the page.
"""

from __future__ import annotations

import json
import weakref
from inspect import signature
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..errors import InputError, nearest
from ..plain import one_line
from ..view.palette import AMBER

STATIC = Path(__file__).parent / "static"
LARGEST_MESSAGE = 64_000  # characters of JSON; a 100-layer model with every part selected takes a quarter of it
LONGEST_ERROR = 400
STYLING = {"layout"}  # what ipywidgets itself lets a caller set

_live: weakref.WeakSet[Panel] = weakref.WeakSet()


def script(name: str) -> str:
    """The text of one ES module: the shared part, then the widget's own. No build step, no import to resolve."""
    return f"{_static('panel.js')}\n{_static(name)}"


def sheet() -> str:
    """The one style sheet, with the table's amber in front."""
    return f".gnb {{ --gnb-changed: {AMBER}; }}\n{_static('panel.css')}"


def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


class Panel(anywidget.AnyWidget):
    """A widget on one target (a model or a spec), held weakly: a panel never keeps a model in memory."""

    _css = sheet()
    _error = traitlets.Unicode("").tag(sync=True)
    last_error: Exception | None = None

    def __init__(self, target: object, *, options: dict[str, Any], **traits: Any) -> None:
        """`options` are the caller's further keywords: those of ipywidgets pass, any other is an InputError."""
        _refuse_unknown(type(self), options)
        self._target = weakref.ref(target)
        super().__init__(**traits, **options)
        self.on_msg(Panel._receive)
        self._close_older()
        _live.add(self)

    @property
    def target(self) -> object | None:
        """What the panel shows; None once it is gone from memory."""
        return self._target()

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """What the page sent, trait by trait: taken or refused. Nothing in Jupyter shows what a callback raises, so the
        panel does; a refused trait is sent back as it stands in the kernel.
        """
        for name, value in sync_data.items():
            try:
                self._admit(name, value)
                super().set_state({name: value})
                self._error = ""
            except Exception as error:
                self._show(error)
                if name in self.keys:
                    self.send_state(name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({one_line(self._summary())})"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/html": self._picture()}, metadata

    def _summary(self) -> str:
        """One line on what is shown, for text/plain."""
        raise NotImplementedError

    def _picture(self) -> str:
        """Self-contained, escaped html that stands in where no kernel and no script runs."""
        raise NotImplementedError

    def _admit(self, name: str, value: object) -> None:
        allowed = self.traits(front=True)
        if name not in allowed:
            raise InputError(f"The page may not change {name[:60]!r}.", f"It may change: {', '.join(allowed)}.")
        _check_plain(name, value)

    def _receive(self, content: object, buffers: object) -> None:
        if content == {"kind": "ping"}:
            self.send({"kind": "pong"})
        else:
            self._show(InputError("The page sent a message this panel does not know.", "Run the cell again."))

    def _show(self, error: Exception) -> None:
        text = str(error)
        self.last_error = error
        self._error = text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]} …"

    def _close_older(self) -> None:
        """Close panels of this kind on the same target, and those whose target is gone. ipywidgets never does."""
        for other in list(_live):
            same_kind = other is not self and type(other).__name__ == type(self).__name__
            if same_kind and (other.target is None or other.target == self.target):
                other.close()
                _live.discard(other)


def _check_plain(name: str, value: object) -> None:
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise InputError(f"The page sent no plain data for {name!r}.", "Run the cell again.") from None
    if size > LARGEST_MESSAGE:
        raise InputError(f"The page sent {size} characters for {name!r}.", f"At most {LARGEST_MESSAGE} are taken.")


def _refuse_unknown(widget: type[Panel], options: dict[str, Any]) -> None:
    unknown = next((name for name in options if name not in STYLING), None)
    if unknown:
        known = [name for name in signature(widget).parameters if name != "options"] + sorted(STYLING)
        raise InputError(f"{widget.__name__} has no option {unknown!r}.", f"Nearest: {nearest(unknown, known)}.")

"""The frame every widget stands in: what the page may change, errors that show, one live widget per target.

A new widget is a subclass with its own traits and a `static/<name>.js` that exports `render`. A trait the page may
change carries `.tag(sync=True, front=True)` and refuses bad values in its own `validate`, which runs the same for
Python and for the page; a method the page may call is a `@command`.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..core.files import put, reason
from ..errors import InputError
from ..plain import one_line
from ..view.markup import document
from .admission import called, check_plain, refuse_unknown
from .assets import sheet
from .lives import take_over

LONGEST_ERROR = 400


class Panel(anywidget.AnyWidget):
    """A widget on one target (a model or a spec), held weakly: a panel never keeps a model in memory."""

    _css = sheet()
    _error = traitlets.Unicode("").tag(sync=True)
    last_error: Exception | None = None

    def __init__(self, target: object, *, options: dict[str, Any], **traits: Any) -> None:
        """`options` are the caller's further keywords: those of ipywidgets pass, any other is an InputError."""
        refuse_unknown(type(self), options)
        self._target = weakref.ref(target)
        super().__init__(**traits, **options)
        self.on_msg(Panel._receive)
        take_over(self)

    @cached_property
    def _turn(self) -> threading.RLock:
        """Held by whoever changes the panel: callbacks come on any thread, and answers of the engine on another."""
        return threading.RLock()

    @property
    def target(self) -> object | None:
        """What the panel shows; None once it is gone from memory."""
        return self._target()

    @property
    def home(self) -> object | None:
        """The garage it was made for, if it was made for one."""
        return None

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """What the page sent, trait by trait: taken or refused. A refused trait is sent back as it stands here."""
        for name, value in sync_data.items():
            if not self._guarded(partial(self._take, name, value)) and name in self.keys:
                self.send_state(name)

    def to_html(self, path: str | Path) -> Path:
        """Write the picture as a page of its own that needs nothing else; written beside and renamed."""
        target = Path(path)
        try:
            put(target, document(repr(self), self._picture()).encode())
        except OSError as error:
            raise InputError(f"{str(path)!r} cannot be written: {reason(error)}.", "Name a file in a folder.") from None
        return target

    def hand_over(self, name: str, text: str, mime: str) -> None:
        """Have the page download a file."""
        self.send({"kind": "file", "name": name, "text": text, "mime": mime})

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

    def _take(self, name: str, value: object) -> None:
        allowed = self.traits(front=True)
        if name not in allowed:
            raise InputError(f"The page may not change {name[:60]!r}.", f"It may change: {', '.join(allowed)}.")
        check_plain(repr(name), value)
        super().set_state({name: value})

    def _receive(self, content: object, buffers: object) -> None:
        if content == {"kind": "ping"}:
            self.send({"kind": "pong"})
        else:
            self._guarded(lambda: called(self, content)())

    def _guarded(self, act: Callable[[], object]) -> bool:
        """Do what the page asked, one thing at a time. What a callback raises Jupyter shows nowhere; the panel does."""
        with self._turn:
            try:
                act()
            except Exception as error:
                self._show(error)
                return False
            self._error = ""
            return True

    def _show(self, error: Exception) -> None:
        text = str(error)
        self.last_error = error
        self._error = text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]} …"

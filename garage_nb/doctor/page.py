"""Page: whether the front end answers. Only a widget can ask it; here its answer is read."""

from __future__ import annotations

from typing import Protocol

from .check import Check


class Ping(Protocol):
    """What a page was asked with: the milliseconds there and back, None while it has not answered."""

    @property
    def milliseconds(self) -> float | None: ...


def answered(ping: Ping | None) -> Check:
    if ping is None:
        return Check("page", "check", "not asked", "In a notebook: %garage show ping; then ask again.")
    if ping.milliseconds is None:
        todo = "If its cell shows an error: restart the server, not the kernel, and reload the page."
        return Check("page", "check", "no answer yet", todo)
    return Check("page", "ok", f"answered in {ping.milliseconds:.0f} ms")

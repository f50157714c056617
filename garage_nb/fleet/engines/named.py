"""Named: the crew that one asks for, by name, by address, or by handing over what does the work."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

from ...errors import InputError, nearest
from .crew import Crew
from .given import Given
from .here import Here
from .pool import Pool

NAMES = ("here", "pool", "dask", "ipyparallel")
_ADDRESSES = ("tcp://", "tls://")


def crew_of(on: Any) -> Crew:
    """`here`, `pool`, `pool:4`, `dask`, `tcp://host:port`, `ipyparallel`, an Executor, a Dask client or a view of
    ipyparallel. InputError for anything else.
    """
    if isinstance(on, str):
        return _named(on)
    if isinstance(on, Executor):
        return Given(on)
    home = type(on).__module__.partition(".")[0]
    if home == "distributed":
        return _dask(client=on)
    if home == "ipyparallel":
        return _ipyparallel(on)
    raise InputError(f"No engine is a {type(on).__name__}.", f"Give one of {', '.join(NAMES)}, or an Executor.")


def _named(on: str) -> Crew:
    name, _, number = on.partition(":")
    if on.startswith(_ADDRESSES):
        return _dask(address=on)
    if name == "pool" and number.isdecimal() and int(number) > 0:
        return Pool(int(number))
    if on == "pool":
        return Pool()
    if on == "here":
        return Here()
    if on == "dask":
        return _dask()
    if on == "ipyparallel":
        return _ipyparallel()
    raise InputError(f"No engine is called {on!r}.", f"Nearest: {nearest(on, NAMES)}; pool:4 is a pool of four.")


def _dask(address: str | None = None, client: Any = None) -> Crew:
    from .dask import DaskCrew

    return DaskCrew(address=address, client=client)


def _ipyparallel(view: Any = None) -> Crew:
    from .ipyparallel import IpyparallelCrew

    return IpyparallelCrew(view=view)

"""Blame: why a trial failed, in words; or that no task is at fault, which ends a drive."""

from __future__ import annotations

from concurrent import futures
from concurrent.futures import BrokenExecutor

from ...errors import CancelledError, EngineError, GarageError, LedgerError, ModelNotFoundError, UnsupportedModelError
from ...plain import one_line, shorten
from .died import WorkerDied
from .task import Report, versions

_LONGEST = 200  # characters
_EVERYBODYS = (EngineError, LedgerError, ModelNotFoundError, UnsupportedModelError)


def why_of(error: BaseException) -> str:
    """Raises what would happen to every other task too."""
    if isinstance(error, _EVERYBODYS):
        raise error
    if isinstance(error, CancelledError):
        raise cancelled() from error
    if isinstance(error, futures.CancelledError):
        raise EngineError(
            "Somebody else called off what was under way.", "What was done is kept; run it again to go on."
        ) from error
    if isinstance(error, ImportError):
        raise EngineError(
            f"The workers lack what the work needs: {error}.",
            "Install there what is installed here, then run it again: what was done is kept.",
        ) from error
    if isinstance(error, BrokenExecutor | WorkerDied):
        return "its worker died of it"
    said = error.what if isinstance(error, GarageError) else f"{type(error).__name__}: {error}"
    return shorten(one_line(said).rstrip(".: "), _LONGEST)


def cancelled() -> CancelledError:
    """A run of it was stopped, or all of it."""
    return CancelledError("It was cancelled before it was done.", "What was done is kept: run it again.")


def demand_versions(report: Report) -> None:
    """EngineError where the worker ran on others than this process."""
    theirs, ours = report.versions, versions()
    if theirs != ours:
        raise EngineError(
            f"{report.worker} runs {_beyond(theirs, ours)}, and this process {_beyond(ours, theirs)}.",
            "Nothing of it was taken. Install the same versions on every worker, then run it again.",
        )


def _beyond(some: tuple[str, ...], others: tuple[str, ...]) -> str:
    return ", ".join(name for name in some if name not in others) or "nothing else"

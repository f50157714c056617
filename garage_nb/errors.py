"""Every failure a user can meet, in two lines: what was asked and is there, then what to do.

Each kind is also the nearest built-in, so `except ValueError` works for those who do not know the garage.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable, Sequence

from .plain import one_line, shorten

LONGEST = 400  # characters of a line: a prompt may be in it


class GarageError(Exception):
    """A failure that says what to do. `what` is the first line, `hint` the second: one line each, whatever is in it."""

    def __init__(self, what: str, hint: str = "") -> None:
        self.what, self.hint = _line(what), _line(hint)
        super().__init__(self.what)
        self.whole = False

    def __str__(self) -> str:
        return f"{self.what}\n{self.hint}" if self.hint else self.what

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a traceback: two lines, and all of it when asked again with `%tb`."""
        if self.whole:
            return "".join(traceback.format_exception(self)).splitlines()
        self.whole = True
        lines = [f"{type(self).__name__}: {self.what}"]
        return [*lines, f"  {self.hint}"] if self.hint else lines


class UnknownPartError(GarageError, LookupError):
    """A name that is no part of this model."""


class UnavailablePartError(GarageError, LookupError):
    """A part that is there but can be neither read nor changed exactly, with the reason."""


class PartsLeftOut(UserWarning):
    """A selector met parts that are n/a, and the rest was used."""

    def __init__(self, selector: str, names: list[str], reason: str) -> None:
        super().__init__(_line(f"{selector} leaves out {len(names)} that are n/a: {shortened(names)}. {reason}."))
        self.names = names


class InputError(GarageError, ValueError):
    """A prompt, token ids or an option that this model cannot take."""


class EditError(GarageError, ValueError):
    """An edit that cannot be applied where it was put."""


class ModelNotFoundError(GarageError, FileNotFoundError):
    """No model under this name or folder, or the hub cannot be reached."""


class UnsupportedModelError(GarageError, NotImplementedError):
    """A model this version cannot open, with the reason."""


class SpecFileError(GarageError, ValueError):
    """A spec file that is damaged, was written for something else, or cannot be written or read."""


class RecipeFileError(GarageError, ValueError):
    """A recipe file that is damaged, says what this version does not know, or cannot be written or read."""


class PartFileError(GarageError, ValueError):
    """A part file that is damaged, says what this version does not know, or cannot be written or read."""


class BladeFileError(GarageError, ValueError):
    """A blade file that is damaged, says what this version does not know, or cannot be written; or has no evidence."""


class GateFileError(GarageError, ValueError):
    """A debate gate's file that is damaged, says what this version does not know, or cannot be written or read."""


class BuildError(GarageError, ValueError):
    """A build sheet that cannot be built, naming both sides of what does not fit, or a hybrid that cannot be saved."""


class HookError(GarageError, RuntimeError):
    """A hook that never fired, or was asked for what it did not see."""


class EngineError(GarageError, RuntimeError):
    """Workers that cannot be had, that are lost, or that run other versions. What was done before is kept."""


class LedgerError(GarageError, OSError):
    """A folder of results that cannot be written or read. What is in it is kept."""


class CancelledError(GarageError, RuntimeError):
    """A run that was asked to stop before it was done."""


class NotFiniteError(GarageError, ArithmeticError):
    """NaN or infinity where a number was needed."""


# Of one of several things to try: the others can still be tried.
REFUSALS = (
    BuildError,
    EditError,
    InputError,
    NotFiniteError,
    UnavailablePartError,
    UnknownPartError,
    UnsupportedModelError,
)


def shortened(names: Sequence[str], count: int = 3) -> str:
    """`layer_0, layer_1, layer_2 and 9 more`."""
    rest = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + rest


def nearest(asked: str, known: Iterable[str], count: int = 3) -> str:
    """`layer_2, layer_3` for a mistyped name, the first known ones when nothing is near."""
    names = list(known)
    near = difflib.get_close_matches(asked, names, n=count, cutoff=0.5)
    return ", ".join(near or names[:count])


def _line(text: str) -> str:
    return shorten(one_line(text), LONGEST)

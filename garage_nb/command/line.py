"""Line: what the words after `garage` ask for, read before any model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError, nearest
from ..garage import Garage
from ..verbs import Call, Verb, find, read, verbs_of
from ..view.shown import Shown
from ..words import words
from .output import FORMATS

EDIT, FORMAT = "--edit", "--format"
LOADING = (
    "--dtype",
    "--device",
    "--device-map",
    "--offload-folder",
    "--revision",
)  # as `load` has them, on every verb with a model
STATUS = Call("status", {})


@dataclass(frozen=True)
class Line:
    """Load, edit, call: each as a verb of the garage. `loading` is None for a verb that needs no model."""

    loading: Call | None
    edits: tuple[Call, ...]
    call: Call
    format: str = FORMATS[0]

    def run(self) -> Shown:
        garage = Garage()
        for step in (*([self.loading] if self.loading else []), *self.edits):
            step.on(garage)
        answer: Shown = self.call.on(garage)
        return answer


def read_line(words: Sequence[str]) -> Line:
    """InputError where the words cannot be understood."""
    options, left = _taken(words)
    entry = find(verbs_of(Garage), left[0])
    edits, form = tuple(map(_edit, options.get(EDIT, ()))), _format(options.get(FORMAT, FORMATS[:1]))
    loading = [word for name in LOADING for value in options.get(name, ()) for word in (name, value)]
    if entry.name == "load":
        return Line(read(Garage, [*left, *loading], model="MODEL"), edits, STATUS, form)
    if entry.session:
        raise InputError(f"{entry.name} belongs to a session, and a command has none.", _instead(entry))
    if not entry.model:
        if loading or edits:
            raise InputError(f"{entry.name} takes neither {EDIT} nor options of load.", "They go with one MODEL.")
        return Line(None, (), read(Garage, left, model="MODEL"), form)
    if len(left) < 2 or left[1].startswith("-"):
        raise InputError(f"{entry.name} needs a model.", f"Write: garage {entry.name} showroom …")
    call = read(Garage, [left[0], *left[2:]], model="MODEL")
    if call.arguments.get("live"):
        raise InputError("--live is for a notebook, and a command has none.", f"Use %garage {entry.name} there.")
    return Line(read(Garage, ["load", left[1], *loading]), edits, call, form)


def _taken(words: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The command's own options, each with its values in order, and the words left for the verb."""
    options: dict[str, list[str]] = {}
    left, waiting = [], iter(words)
    for word in waiting:
        name, given, value = word.partition("=")
        if name not in (EDIT, FORMAT, *LOADING):
            left.append(word)
            continue
        found = value if given else next(waiting, None)
        if found is None:
            raise InputError(f"{name} needs a value.", "`garage help` lists the options.")
        options.setdefault(name, []).append(found)
    return options, left


def _edit(text: str) -> Call:
    """`scale layer_2 3`, as it would stand after %garage."""
    spelt = words(text, {})
    if not spelt:
        raise InputError(f"{EDIT} is empty.", _EDIT_USAGE)
    entry = find(verbs_of(Garage), spelt[0])
    if not entry.edits:
        raise InputError(f"{entry.name} is no edit.", _EDIT_USAGE)
    return read(Garage, spelt)


_EDIT_USAGE = f'Write: {EDIT} "scale layer_2 3"'


def _format(values: Sequence[str]) -> str:
    if len(values) > 1 or values[0] not in FORMATS:
        found = f"{FORMAT} {' '.join(values)}"
        raise InputError(f"{found!r} is no format.", f"Nearest: {nearest(values[0], FORMATS)}.")
    return values[0]


def _instead(entry: Verb) -> str:
    if not entry.edits:
        return f"Use it in a notebook: %garage {entry.name}"
    return f'Put it on the line of another verb: garage generate MODEL … {EDIT} "{entry.name} …"'

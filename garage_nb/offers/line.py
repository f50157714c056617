"""Line: which place of a line the cursor stands in, and what may stand there."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..verbs import Text, Verb, find
from .offer import Offer, Scene, fitting, of_kind
from .values import Found, values, variables, verbs

LIVE = "-v"


@dataclass(frozen=True)
class _Place:
    """What the finished words leave: whose value is due, which arguments come after it, which may be named."""

    waiting: inspect.Parameter | None
    to_come: tuple[inspect.Parameter, ...]
    named: Mapping[str, inspect.Parameter]

    @property
    def options(self) -> list[Offer]:
        """Those that have to be named; the others may be."""
        return of_kind("option", [name for name, item in self.named.items() if item.kind is item.KEYWORD_ONLY])


def offers(before: Sequence[str], word: str, scene: Scene) -> Found:
    """The end of `word` that is to be replaced, and with what; `before` are the finished words.

    A Text stood in quotes, as for `verbs.call`, and is never taken for an option or a live object.
    """
    bare = not isinstance(word, Text)
    if before and before[-1] == LIVE:
        return word, [Offer(offer.text[1:], offer.kind) for offer in variables(f"@{word}", scene.variables)]
    if word.startswith("@") and bare:
        return word, variables(word, scene.variables)
    if not before:
        return verbs(word, scene)
    try:
        entry = find(scene.verbs, before[0])
    except InputError:
        return word, []
    place = _place(entry, before[1:], scene)
    if word.startswith("--") and bare and place.waiting is None:
        return _option(entry, word, place, scene)
    return _argument(entry, word, place, scene)


def _option(entry: Verb, word: str, place: _Place, scene: Scene) -> Found:
    """Its name, or its value behind `=`."""
    name, joined, value = word.partition("=")
    if not joined:
        return word, fitting(word, place.options)
    return values(entry, place.named[name], value, scene) if name in place.named else (value, [])


def _argument(entry: Verb, word: str, place: _Place, scene: Scene) -> Found:
    """A value, and options too where none is due."""
    due = place.waiting or next(iter(place.to_come), None)
    text, found = (word, []) if due is None else values(entry, due, word, scene)
    demanded = place.waiting is not None or (due is not None and found and due.default is inspect.Parameter.empty)
    if word or isinstance(word, Text) or demanded:
        return text, found
    return text, [*found, *place.options]


def _place(entry: Verb, words: Sequence[str], scene: Scene) -> _Place:
    arguments = _arguments(entry, scene)
    named = {_spelt(item): item for item in arguments} | _of_the_face(scene)
    to_come = [item for item in arguments if item.kind is not inspect.Parameter.KEYWORD_ONLY]
    waiting, live = None, False
    for word in words:
        name, joined, _ = word.partition("=")
        live, behind = word == LIVE and waiting is None, live
        if waiting is not None or behind:
            waiting = None
        elif word.startswith("--") and not isinstance(word, Text):
            given = named.pop(name, None)
            to_come = [item for item in to_come if _spelt(item) != name]
            waiting = given if given is not None and not joined and given.annotation != "bool" else None
        else:
            to_come = to_come[1:]
    return _Place(waiting, tuple(to_come), named)


def _arguments(entry: Verb, scene: Scene) -> list[inspect.Parameter]:
    """Those of the method but `self`, and the prompt where the cell is the prompt."""
    own = list(entry.signature.parameters.values())[1:]
    return [item for item in own if not (scene.cell and item.name == "prompt")]


def _of_the_face(scene: Scene) -> dict[str, inspect.Parameter]:
    """Options that no verb knows. What they take nobody can guess."""
    named = inspect.Parameter.KEYWORD_ONLY
    rows = scene.options.items()
    return {name: inspect.Parameter("name", named, annotation="" if takes else "bool") for name, takes in rows}


def _spelt(parameter: inspect.Parameter) -> str:
    return f"--{parameter.name.replace('_', '-')}"

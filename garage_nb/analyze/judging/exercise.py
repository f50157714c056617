"""Exercise: a prompt and what is right after it, and how a user's own are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import InputError

ONE, ALL = "items", "all"  # the domain of items that come without any, and what all domains together are called
FIELDS, NEEDED = ("prompt", "answer", "domain"), ("prompt", "answer")
WANTED = 'Give pairs, ("The capital of France is", "Paris"), or {"prompt": …, "answer": …, "domain": …}.'


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """Each of `ways` is a text that is right: its parts alternate between given (even places) and answered (odd)."""

    ways: tuple[tuple[str, ...], ...]
    domain: str = ONE

    @property
    def text(self) -> str:
        return "".join(self.ways[0])

    @property
    def given(self) -> str:
        """What is asked, whatever the answer and the spacing: of two answers to one prompt, each tells of the other."""
        return " ".join("".join(self.ways[0][::2]).split())


def exercises_of(given: Sequence[Any]) -> list[Exercise]:
    """Pairs, mappings, or exercises as they are; equal ones once. InputError says which cannot be read."""
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise InputError(f"Items were expected, not {type(given).__name__}.", WANTED)
    found = [one if isinstance(one, Exercise) else _read(one, f"Item {place}") for place, one in enumerate(given, 1)]
    if not found:
        raise InputError("No items were given.", WANTED)
    return list(dict.fromkeys(found))


def _read(one: Any, said: str) -> Exercise:
    if isinstance(one, Mapping):
        return _of_mapping(one, said)
    if isinstance(one, str) or not isinstance(one, Sequence) or len(one) != 2:
        raise InputError(f"{said} is no pair of prompt and answer: {one!r}.", WANTED)
    return _exercise(one[0], one[1], ONE, said)


def _of_mapping(one: Mapping[Any, Any], said: str) -> Exercise:
    if unknown := [str(key) for key in one if key not in FIELDS]:
        raise InputError(f"{said} says {unknown[0]!r}, which no item has.", f"An item has {', '.join(FIELDS)}.")
    if missing := [key for key in NEEDED if key not in one]:
        raise InputError(f"{said} has no {missing[0]}.", WANTED)
    return _exercise(one["prompt"], one["answer"], one.get("domain", ONE), said)


def _exercise(prompt: Any, answer: Any, domain: Any, said: str) -> Exercise:
    """Several answers are each right."""
    answers = [answer] if isinstance(answer, str) else answer
    if not isinstance(answers, list | tuple) or not all(isinstance(one, str) and one.strip() for one in answers):
        raise InputError(f"{said} has an answer that is no text: {answer!r}.", "Give a text, or several right ones.")
    if not isinstance(prompt, str) or not prompt.strip() or not answers:
        raise InputError(f"{said} has no {'prompt' if answers else 'answer'} to go by.", WANTED)
    if not isinstance(domain, str) or domain in ("", ALL):
        raise InputError(f"{said} has a domain that cannot be used: {domain!r}.", f"Give a name other than {ALL!r}.")
    _demand_whole([prompt, *answers], said)
    return Exercise(ways=tuple(way for one in answers for way in _ways(prompt, one)), domain=domain)


def _demand_whole(texts: Sequence[str], said: str) -> None:
    """Tokenizers answer half a surrogate pair with a TypeError about unions."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise InputError(f"{said} holds half a character.", "Leave it out, or read the text again as UTF-8.") from None


def _ways(prompt: str, answer: str) -> list[tuple[str, str]]:
    """Where no space stands between the two, the answer is right with one and without."""
    if prompt[-1].isspace() or answer[0].isspace():
        return [(prompt, answer)]
    return [(prompt, f" {answer}"), (prompt, answer)]

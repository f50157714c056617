"""What the tuning bench tells the page: plain words and numbers, worked out elsewhere."""

from __future__ import annotations

from typing import Any

from ..answers.comparison import TUNED, UNTOUCHED, Comparison
from ..answers.continuation import Continuation, differing
from ..answers.generation import Generation
from ..inject.desk import Desk
from ..plain import one_line, visible


def chips(desk: Desk) -> list[dict[str, Any]]:
    """The edits of the draft, and whether each is heard."""
    heard = set(map(id, desk.heard))
    return [{"said": one_line(str(edit)), "heard": id(edit) in heard} for edit in desk.draft]


def next_tokens(found: Comparison) -> dict[str, Any]:
    """Likeliest first. KL in nats."""
    return {
        "tokens": [one_line(repr(token)) for token in found.tokens],
        "untouched": list(found.a),
        "tuned": list(found.b),
        "divergence": found.divergence,
        "likeliest": [one_line(repr(token)) for token in found.likeliest],
        "changed": found.changed[1],
    }


def texts(said: Generation) -> list[dict[str, Any]]:
    """Both continuations, token by token, with what the other does not have."""
    tuned, untouched = (said.written.get(name, Continuation()) for name in (TUNED, UNTOUCHED))
    if TUNED not in said.written:
        return [_text(UNTOUCHED, untouched, (False,) * len(untouched))]
    other, own = differing(untouched.tokens, tuned.tokens)
    return [_text(UNTOUCHED, untouched, other), _text(TUNED, tuned, own)]


def _text(name: str, text: Continuation, differs: tuple[bool, ...]) -> dict[str, Any]:
    return {
        "name": name,
        "tokens": [visible(token) for token in text.tokens],
        "probabilities": list(text.probabilities),
        "differs": list(differs),
    }

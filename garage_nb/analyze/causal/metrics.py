"""Metrics: one number made of the logits of the last token, which runs are compared by.

To add one: a function of logits and goal, and a line in METRICS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from ...core.stats import exact
from ...errors import InputError, NotFiniteError, nearest

Measure = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Goal:
    """Ids of the token that is followed and of the one it is held against, and the logits (vocab,) that a divergence
    is counted from.
    """

    target: int
    foil: int
    clean: Tensor


@dataclass(frozen=True)
class Rule:
    """`label` is what an axis says. `foils`: whether the foil has a say, `smooth`: whether there is a gradient."""

    measure: Callable[[Tensor, Goal], Tensor]
    label: str
    foils: bool = False
    smooth: bool = True


@dataclass(frozen=True, eq=False)
class Metric:
    """Logits (rows, vocab) to numbers (rows,), both in double precision where the device knows it."""

    name: str
    label: str
    measure: Measure
    smooth: bool = True

    def __call__(self, logits: Float[Tensor, "rows vocab"]) -> Float[Tensor, " rows"]:
        """NotFiniteError for NaN and infinity, InputError for a metric of the user's that answers anything else."""
        if not bool(logits.isfinite().all()):
            raise NotFiniteError(
                "The model's answer holds NaN or infinity.", "Take the last edit back, or load the model in float32."
            )
        found = self.measure(exact(logits))
        if not isinstance(found, Tensor) or found.shape != logits.shape[:1]:
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise InputError(
                f"The metric {self.name} made {got} of logits {tuple(logits.shape)}.",
                f"Return one number a row: ({logits.shape[0]},).",
            )
        if not bool(found.isfinite().all()):
            raise NotFiniteError(f"The metric {self.name} is NaN or infinite here.", "Choose another metric or token.")
        return found


def _logit_difference(logits: Tensor, goal: Goal) -> Tensor:
    return logits[:, goal.target] - logits[:, goal.foil]


def _log_probability(logits: Tensor, goal: Goal) -> Tensor:
    return logits.log_softmax(-1)[:, goal.target]


def _probability(logits: Tensor, goal: Goal) -> Tensor:
    return logits.softmax(-1)[:, goal.target]


def _rank(logits: Tensor, goal: Goal) -> Tensor:
    return (logits > logits[:, goal.target, None]).sum(-1).to(logits) + 1


def _divergence(logits: Tensor, goal: Goal) -> Tensor:
    log_clean = exact(goal.clean).log_softmax(-1)
    return (log_clean.exp() * (log_clean - logits.log_softmax(-1))).sum(-1)


METRICS: dict[str, Rule] = {
    "logit_difference": Rule(_logit_difference, "logit of {target} − logit of {foil}", foils=True),
    "probability": Rule(_probability, "probability of {target}"),
    "log_probability": Rule(_log_probability, "log probability of {target}, nats"),
    "rank": Rule(_rank, "rank of {target}, 1 the likeliest", smooth=False),
    "divergence": Rule(_divergence, "KL from the {start} run, nats"),
}


def metric_of(asked: Any, goal: Goal, target: str, foil: str, start: str = "clean") -> Metric:
    """A known metric about the goal, or a function of the user's of logits (rows, vocab); the texts are for its label.

    InputError for a name that is none, and for a difference between a token and itself.
    """
    if not isinstance(asked, str):
        return _own(asked)
    if asked not in METRICS:
        raise InputError(
            f"There is no metric {asked!r}.",
            f"Nearest: {nearest(asked, METRICS)}. There are: {', '.join(METRICS)}, or a function of logits.",
        )
    rule = METRICS[asked]
    if rule.foils and goal.target == goal.foil:
        raise InputError(
            f"Target and foil are both {target!r}.", "Name two tokens: --target and --foil; or --metric probability."
        )
    label = rule.label.format(target=repr(target), foil=repr(foil), start=start)
    return Metric(asked, label, lambda logits: rule.measure(logits, goal), rule.smooth)


def label_of(asked: Any, start: str) -> str:
    """Of a metric that is about other tokens in every prompt."""
    return METRICS[asked].label.format(target="its target", foil="its foil", start=start)


def _own(asked: Any) -> Metric:
    if not callable(asked):
        raise InputError(
            f"A metric of the kind {type(asked).__name__} cannot be asked.",
            f"Name one of {', '.join(METRICS)}, or give a function of logits (rows, vocab).",
        )
    name = str(getattr(asked, "__name__", type(asked).__name__))
    return Metric(name, name, asked)

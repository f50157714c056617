"""Adapters: what must be put around a part so that it runs in another model, and what no adapter can mend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .tokens import overlap
from .traits import HALVES, HIDDEN, UNKNOWN, Sort

_MENDED_BY = {
    "positions": "its own position encoding",
    "window": "its own attention mask",
    "scale": "its own scale",
    "heads to a key-value head": "its own key-value head",
}
_BEYOND = {
    "layer_norm": {"width": "its gains belong to columns of their own"},
    "gate": {"experts": "it chooses among its own experts"},
    "rotary_emb": {"columns": "", "positions": "", "formula": ""},
}
APART = "put in as a module of its own"


class Verdict(str, Enum):
    """AS_IS: the weights could stand in the other's place and compute the same. From best to worst."""

    AS_IS = "fits as it is"
    ADAPTER = "fits with an adapter"
    CANNOT = "does not fit"


@dataclass(frozen=True)
class Judgement:
    """Of two parts: `differing` names what differs between them, and `reason` says it in words."""

    verdict: Verdict
    adapters: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    reason: str = ""

    @property
    def rank(self) -> tuple[int, int, bool]:
        """Less is better. Between two layers as different as each other, the one with the same window is meant."""
        return list(Verdict).index(self.verdict), len(self.differing), "window" in self.differing


def judge(a: Sort, b: Sort) -> Judgement:
    """How a part like `a` would stand in the place of one like `b`, or the other way round."""
    differing = tuple(label for label in {**a.traits, **b.traits} if _differ(a, b, label))
    if not differing:
        return Judgement(Verdict.AS_IS)
    reason = _reason(a, b, differing)
    beyond = next((why for label, why in _BEYOND.get(a.kind, {}).items() if label in differing), None)
    if beyond is None and "tokens" in differing and _share_nothing(a, b):
        beyond = "no token in common"
    if beyond is not None:
        return Judgement(Verdict.CANNOT, (), differing, f"{reason}; {beyond}" if beyond else reason)
    adapters = dict.fromkeys(adapter for label in differing if (adapter := _adapter(a, b, label)))
    return Judgement(Verdict.ADAPTER, tuple(adapters) or (APART,), differing, reason)


def _differ(a: Sort, b: Sort, label: str) -> bool:
    mine, theirs = a.traits.get(label), b.traits.get(label)
    return mine != theirs or (mine is not None and mine.value == UNKNOWN)


def _adapter(a: Sort, b: Sort, label: str) -> str | None:
    if label == "width":
        maps = "a linear map" if a.kind in ("embedding", "position_embedding", "output_head", "gate") else "linear maps"
        return f"{maps} between {a.traits[label]} and {b.traits[label]}"
    if label == "tokens":
        return _token_map(a, b)
    if label == "vocabulary" and not _differ(a, b, "tokens"):
        return "rows of no token added or left out"
    if label == "rows":
        return f"the first {min(a.traits[label].value, b.traits[label].value)} positions"
    if label == "norm" and {a.traits[label].value, b.traits[label].value} == {"RMSNorm", "RMSNorm with 1 + w"}:
        return "1 added to its weights, or taken off"
    return _MENDED_BY.get(label)


def _token_map(a: Sort, b: Sort) -> str:
    mine, theirs = _tokenizer(a), _tokenizer(b)
    if mine is None or theirs is None:
        return "a token map of unknown cover"
    first, second = overlap(mine, theirs)
    if str(first) == str(second):
        return f"a token map that covers {first} of the tokens"
    return f"a token map that covers {first} of {a.spec.model_id}'s tokens and {second} of {b.spec.model_id}'s"


def _share_nothing(a: Sort, b: Sort) -> bool:
    mine, theirs = _tokenizer(a), _tokenizer(b)
    if mine is None or theirs is None:
        return False
    share, _ = overlap(mine, theirs)
    return share.value + share.error == 0


def _tokenizer(sort: Sort) -> Mapping[str, Any] | None:
    return sort.spec.extra_info.get("tokenizer")


def _reason(a: Sort, b: Sort, differing: tuple[str, ...]) -> str:
    said = [_said(a, b, label) for label in differing if label not in HIDDEN]
    if "formula" in differing and a.kind != "layer_norm":  # a norm is known by what it computes
        said.append(_other_code(a, b))
    elif not said and "settings" in differing:
        said += _other_settings(a, b)
    return ", ".join(said or ["weights of other names or shapes"])


def _said(a: Sort, b: Sort, label: str) -> str:
    if label == "tokens" and UNKNOWN in (a.traits[label].value, b.traits[label].value):
        return "tokens unknown until both are registered with a tokenizer"
    if label == "tokens" or label in HALVES:
        return f"another {label}" if label in HALVES else "other tokens"
    return f"{label} {a.traits.get(label, 'none')} and {b.traits.get(label, 'none')}"


def _other_code(a: Sort, b: Sort) -> str:
    if UNKNOWN in (a.traits["formula"].value, b.traits["formula"].value):
        return "formula unknown"
    mine, theirs = (sort.part.extra_info["class"] for sort in (a, b))
    return f"code of {mine} and {theirs}" if mine != theirs else f"another {mine}"


def _other_settings(a: Sort, b: Sort) -> list[str]:
    mine, theirs = a.traits["settings"].value, b.traits["settings"].value
    names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
    return [f"{name.partition('@')[0].replace('_', ' ')} {mine.get(name)} and {theirs.get(name)}" for name in names]

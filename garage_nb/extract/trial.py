"""Trial: what a part does on seeded hidden states, each claim with its number. It reports, whatever it finds."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..core.batch import INTEGERS
from ..core.seed import seeded
from ..core.sites import leaving
from ..registry.part_spec import PartType
from ..view.bars import Column, Table
from ..view.frames import framed
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from .part import ExtractedPart

ROWS, TOKENS, LATER = 2, 8, 2  # of the hidden states, and how many of the last tokens are changed
UNCHANGED = 1e-4  # the largest change of earlier tokens, relative to the largest value, that is rounding in float32
CAUSAL = "later tokens do not reach earlier ones"


@dataclass(frozen=True)
class Finding:
    """`ok` is None where the claim is not made of this part."""

    claim: str
    ok: bool | None
    found: str

    @property
    def state(self) -> str:
        return {True: "✓ holds", False: "✗ fails", None: "–"}[self.ok]


@dataclass(frozen=True, repr=False)
class PartTest(Shown):
    """One line a claim about one part."""

    name: str
    model_id: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing fails."""
        return all(one.ok is not False for one in self.findings)

    def __bool__(self) -> bool:
        return self.ok

    def frame(self) -> pd.DataFrame:
        """One row a claim; `holds` is None where it is not made."""
        rows = [(one.ok, one.found) for one in self.findings]
        return framed("claim", [one.claim for one in self.findings], ["holds", "found"], rows)

    def picture(self) -> Table:
        failing = [one.claim for one in self.findings if one.ok is False]
        columns = [
            Column("", [one.state for one in self.findings]),
            Column("found", [one.found for one in self.findings]),
        ]
        verdict = f"{', '.join(failing)} fails" if failing else "nothing fails"
        title = f"{self.name} of {self.model_id}: {verdict}"
        return Table([one.claim for one in self.findings], columns, title=title)


def tried(part: ExtractedPart) -> PartTest:
    """On a copy, so that the part keeps its gradients. What it raises is a finding."""
    own = copy.deepcopy(part).eval()
    own.zero_grad()
    given, *rest = given_to(own)
    try:
        gave = leaving(own(given, *rest))
        findings = [_shape(own, given, gave), _finite(gave), *_gradients(own, given, gave)]
        findings.append(_causal(own, given, gave) if not rest else Finding(CAUSAL, None, "not tried: it has no tokens"))
    except Exception as error:  # whatever a stranger's module raises is what was found
        findings = [Finding("runs alone", False, f"{type(error).__name__}: {error}")]
    return PartTest(part.description.name, part.description.model_id, (*findings, _equal(part)))


def given_to(part: ExtractedPart) -> tuple[Any, ...]:
    """Hidden states that a gradient can reach; token ids or positions to look up; both for rotary angles."""
    known, first = part.description, next(part.parameters(), torch.zeros(()))
    kind, tokens = part.spec.parts[known.part].part_type, min(TOKENS, known.max_seq_len or TOKENS)
    if kind is PartType.EMBEDDING:
        return (torch.arange(min(tokens, known.input_dim), device=first.device)[None].expand(ROWS, -1),)
    if kind is PartType.POSITION_EMBEDDING:
        return (torch.ones(ROWS, tokens, dtype=torch.int64, device=first.device),)
    hidden = torch.randn(ROWS, tokens, known.input_dim, generator=seeded(0)).to(first.device, first.dtype)
    if kind is not PartType.ROTARY_EMB:
        return (hidden.requires_grad_(),)
    kinds = list(dict.fromkeys(getattr(part.config, "layer_types", None) or ()))
    by_layer = "layer_type" in inspect.signature(part.module.forward).parameters
    return hidden, torch.arange(tokens, device=first.device)[None].expand(ROWS, -1), *(kinds[:1] if by_layer else ())


def _shape(part: ExtractedPart, given: Tensor, gave: Tensor) -> Finding:
    """As wide as the part says, for as many tokens."""
    tokens = given.shape[:2].numel()
    expected = tokens * part.description.output_dim
    found = f"{tuple(given.shape)} → {tuple(gave.shape)}"
    return Finding("shape", gave.shape[-1] == part.description.output_dim and gave.numel() == expected, found)


def _finite(gave: Tensor) -> Finding:
    broken = int((~gave.isfinite()).sum())
    return Finding("finite", not broken, f"{broken} of {gave.numel():,} are NaN or infinite")


def _gradients(part: ExtractedPart, given: Tensor, gave: Tensor) -> list[Finding]:
    """Of the mean square of what it gives. A gradient that is there and finite may well be zero."""
    weights = {name: one for name, one in part.named_parameters() if one.requires_grad}
    inputs = [given] if given.requires_grad else []
    if not gave.requires_grad:
        return [Finding("gradient", False if weights or inputs else None, "none flows")]
    found = torch.autograd.grad(gave.float().square().mean(), [*inputs, *weights.values()], allow_unused=True)
    to_input, to_weights = found[: len(inputs)], dict(zip(weights, found[len(inputs) :], strict=True))
    lines = [Finding("gradient to the input", _is_good(one), _norm(one)) for one in to_input]
    return [*lines, _reached(to_weights)] if weights else lines


def _reached(gradients: Mapping[str, Tensor | None]) -> Finding:
    """An expert that no token was sent to has no gradient, and nothing to be blamed for."""
    idle = sum(one is None and "expert" in name for name, one in gradients.items())
    good, count = sum(map(_is_good, gradients.values())), len(gradients)
    left_out = f"; {idle} of experts that no token was sent to" if idle else ""
    return Finding("gradient to the weights", good + idle == count, f"{good} of {count} tensors reached{left_out}")


def _is_good(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(gradient.isfinite().all())


def _norm(gradient: Tensor | None) -> str:
    return "none" if gradient is None else f"norm {float(gradient.norm()):.3g}"


@torch.no_grad()
def _causal(part: ExtractedPart, given: Tensor, gave: Tensor) -> Finding:
    """The last tokens are changed; what leaves the earlier ones must not."""
    if given.dtype in INTEGERS or given.shape[1] <= LATER or gave.shape[:2] != given.shape[:2]:
        return Finding(CAUSAL, None, "not tried: it takes one token at a time")
    other = given.detach().clone()
    other[:, -LATER:] += 1
    change = (leaving(part(other)) - gave)[:, :-LATER].abs().max() / gave.abs().max().clamp(min=1e-30)
    said = f"largest change {float(change):.2g} of the largest value"
    if _looks_both_ways(part.module.modules()):
        return Finding(CAUSAL, None, f"it looks both ways: {said}")
    return Finding(CAUSAL, bool(change <= UNCHANGED), said)


def _looks_both_ways(modules: Iterable[nn.Module]) -> bool:
    return any(getattr(module, "is_causal", None) is False for module in modules)


def _equal(part: ExtractedPart) -> Finding:
    """As found when it was taken; proof.py refuses what differs by more than rounding."""
    error = part.description.error
    claim = "equal to the part in the model"
    if error is None:
        return Finding(claim, None, "not compared")
    return Finding(claim, True, "bit for bit" if error == 0 else f"largest difference {error:.2g} of the largest value")

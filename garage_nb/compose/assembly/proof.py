"""Proof: what is checked of every hybrid when it is built, with what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...core.batch import probe
from ...core.calling import answer, asked
from ...core.fingerprint import AtRest
from ...core.rounding import allowed_rounding
from ...core.run import logits
from ...core.sites import Tap
from ...core.skeleton import skeleton
from ...core.stored import stored
from ...core.undisturbed import undisturbed
from ...view.cards import Card
from ...view.frames import framed
from ...view.shown import Shown
from ..layout.donors import Donor

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Proof:
    """`holds` is None where there is nothing to check, and `found` says why."""

    claim: str
    holds: bool | None
    found: str


@dataclass(frozen=True, repr=False)
class Proofs(Shown):
    name: str
    rows: tuple[Proof, ...]

    @property
    def ok(self) -> bool:
        return all(row.holds is not False for row in self.rows)

    def __bool__(self) -> bool:
        return self.ok

    def frame(self) -> pd.DataFrame:
        """One row a claim; `holds` is empty where there is nothing to check."""
        rows = [(row.holds, row.found) for row in self.rows]
        return framed("claim", [row.claim for row in self.rows], ["holds", "found"], rows)

    def picture(self) -> Card:
        return Card(f"{self.name}: {'proved' if self.ok else 'not as it should be'}", self.facts())

    def facts(self) -> dict[str, str]:
        marks = {True: "✓ ", False: "✗ ", None: ""}
        return {row.claim: f"{marks[row.holds]}{row.found}" for row in self.rows}


def finite(model: Any, whole: Tensor) -> Proof:
    """All weights and the logits: an attention may answer NaN with zeros."""
    for name, weight in model.named_parameters():
        if weight.numel() and not all(end.isfinite() for end in weight.detach().aminmax()):
            return Proof("finite", False, f"{name} holds NaN or infinity")
    said = f"all weights, and {whole.shape[1]} tokens × {whole.shape[2]:,} logits"
    return Proof("finite", bool(whole.isfinite().all()), said)


@torch.no_grad()
def cached(model: Any) -> Proof:
    """The last token, read over a cache of the others, gets the logits of a whole pass: wrong layer numbers show."""
    claim, ids = "cached = uncached", _unpadded(model)
    if not model.config.use_cache:
        return Proof(claim, None, "it keeps no cache: every step of a generation reads the whole text")
    try:
        with undisturbed(model):
            found, whole = _over_cache(model, ids), answer(model(ids, use_cache=False))
    except RuntimeError as error:  # keys of two layers in one place are too many for the mask
        return Proof(claim, False, f"a step over the cache fails: {error}")
    if found is None:
        return Proof(claim, None, "it keeps no cache of keys and values")
    return alike(claim, found, whole[:, -1])


def _unpadded(model: Any) -> Tensor:
    """The fixed prompt without padding, for which RoBERTa counts no position in a whole pass, and one over a cache."""
    ids, padding = probe(model).input_ids, getattr(model.config.get_text_config(), "pad_token_id", None)
    return ids if padding is None else ids[:, ids[0] != padding]


def _over_cache(model: Any, ids: Tensor) -> Tensor | None:
    """Logits (1, vocab) of the last token."""
    cache = model(ids[:, :-1], use_cache=True).get("past_key_values")
    return None if cache is None else answer(model(ids[:, -1:], past_key_values=cache, use_cache=True))[:, -1]


def rebuilt(model: Any, whole: Tensor) -> Proof:
    """Its config as text and its weights by name make the same model again."""
    config = _read_back(model.config)
    config._attn_implementation = model.config._attn_implementation
    again = skeleton(type(model), config, model.dtype)
    again.load_state_dict({name: tensor.detach() for name, tensor in stored(model)}, assign=True)  # flags of its own
    again.tie_weights()
    return equal("config and weights suffice", logits_of(again.to(model.device)), whole)


def _read_back(config: Any) -> Any:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        config.to_json_file(file)
        return type(config).from_json_file(file)


def folded(model: Any, unfolded: Any, taps: Iterable[Tap]) -> Proof:
    """Of edits that became weights: what they do in force on the model as it was before."""
    return alike("edits in weights = in force", logits_of(model), logits(unfolded, probe(unfolded), taps))


def untouched(before: Mapping[str, tuple[Donor, AtRest]]) -> Proof:
    now = {name: seen.differences(AtRest.of(donor.model)) for name, (donor, seen) in before.items()}
    changed = [f"{aspect} of {name}: {where}" for name, found in now.items() for aspect, where in found.items()]
    return Proof("donors untouched", not changed, "; ".join(changed) or f"{', '.join(now)}: bit for bit")


def equal(claim: str, found: Tensor, expected: Tensor) -> Proof:
    """Of two models with the same weights. Some kernels, Mamba's for one, round by where their memory lies."""
    if torch.equal(found, expected):
        return Proof(claim, True, "logits equal bit for bit")
    return alike(claim, found, expected)


def alike(claim: str, found: Tensor, expected: Tensor) -> Proof:
    """Sixteen bits round by more than a mistake may do: there what is far off fails, and nothing but 0 is proved."""
    most, off = allowed(expected), difference(found, expected)
    said = f"logits differ by {off:.2g} at most; {most:.2g} is allowed"
    if 0 < off <= most and torch.finfo(expected.dtype).bits < 32:
        return Proof(claim, None, f"not told apart in {str(expected.dtype).removeprefix('torch.')}: {said}")
    return Proof(claim, off <= most, said)


def allowed(expected: Tensor) -> float:
    """What rounding alone may differ by: kernels of another shape add in another order."""
    return allowed_rounding(expected.dtype) * float(expected.abs().max())


def difference(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max())


@torch.no_grad()
def logits_of(model: Any) -> Tensor:
    with undisturbed(model):
        return answer(asked(model, probe(model), use_cache=False)())

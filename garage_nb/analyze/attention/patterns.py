"""Patterns: what every head attends to, read in one pass, whole or as thumbnails."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from ...core import room
from ...core.batch import Batch
from ...core.parts import ENCODER, parse
from ...core.run import read
from ...core.sites import Read, Tap
from ...errors import InputError, PartsLeftOut, UnsupportedModelError
from ...registry.lift import Lifted
from ...registry.part_spec import PartType
from ...registry.selecting import Selector
from ...registry.specs import ModelSpec
from ..texts.prompt import Words, read_ids

BUDGET = 1 << 29  # bytes of patterns that are kept, float32
ATTENDING = ("attention", "cross_attention")

Weights = Float[Tensor, "heads query key"]


@dataclass(frozen=True, eq=False)
class Pattern:
    """One part's heads, on the host. `queries` and `keys` are the tokens along the sides of the whole pattern."""

    weights: Weights
    queries: tuple[str, ...]
    keys: tuple[str, ...]


def patterns(
    lifted: Lifted,
    batch: Batch,
    edits: Sequence[Tap],
    parts: Sequence[str],
    of: Callable[[Weights], Tensor] = lambda weights: weights,
) -> dict[str, Pattern]:
    """Part -> what `of` makes of its pattern (heads, query, key) on the model's device, while the pass goes on."""
    found: dict[str, Tensor] = {}
    sites = {name: lifted.spec.site(f"{name}.pattern") for name in parts}
    reads = [Read(site, _reader(found, name, of)) for name, site in sites.items()]
    read(lifted.model, batch, [*edits, *reads], chain=lifted.spec.chain)
    shapes = {name: _sides(lifted, batch, name) for name in parts}
    return {name: Pattern(found[name], *shapes[name]) for name in parts}


def thumbnails(side: int) -> Callable[[Weights], Tensor]:
    """At most `side` × `side` a head; each square is the largest weight in it, so that no thin line is lost."""

    def small(weights: Weights) -> Tensor:
        seq = (min(side, weights.shape[1]), min(side, weights.shape[2]))
        return adaptive_max_pool2d(weights.float()[None], seq)[0]

    return small


def attending(spec: ModelSpec, layers: Selector) -> list[str]:
    """Attention parts, by their names, by those of heads or points of them, or by layer.

    UnsupportedModelError for a model that has none. A PartsLeftOut warning names those whose pattern is n/a.
    """
    kinds = (PartType.ATTENTION, PartType.CROSS_ATTENTION)
    if not any(part.part_type in kinds for part in spec.parts.values()):
        mixed = " It mixes tokens otherwise: read mixer_* with capture." if spec.of_type(PartType.MIXER) else ""
        raise UnsupportedModelError(f"{spec.model_id} has no attention.", mixed.strip() or "Read it with capture.")
    names = list(dict.fromkeys(_whole(spec, name) for name in spec.select(layers)))
    missing = [name for name in names if spec.why_not(f"{name}.pattern")]
    if missing and len(missing) < len(names):
        reason = f"{missing[0]}: {spec.why_not(f'{missing[0]}.pattern')}"
        warnings.warn(PartsLeftOut(str(layers), missing, reason), stacklevel=3)
        return [name for name in names if name not in missing]
    return names


def demand_room(spec: ModelSpec, batch: Batch, parts: Sequence[str]) -> None:
    """InputError when the patterns of all parts would take more than the budget."""
    keys, queries = batch.input_ids.shape[1], len(read_ids(batch))
    longest = max(keys, queries)
    heads = sum(spec.parts[name].num_heads or spec.num_heads for name in parts)
    need = heads * longest * longest * 4
    what = f"The patterns of {heads:,} heads over {longest:,} tokens"
    room.demand_room(what, need, BUDGET, "Name fewer layers (attention_3), or give a shorter prompt.")


def _reader(found: dict[str, Tensor], name: str, of: Callable[[Weights], Tensor]) -> Callable[[Tensor], None]:
    def take(pattern: Tensor) -> None:
        found.setdefault(name, of(pattern[0]).float().cpu().clone())

    return take


def _whole(spec: ModelSpec, name: str) -> str:
    """The part that attends: of a layer its self-attention."""
    address = parse(name)
    whole = None if address is None else address.whole
    if whole is not None and whole.kind == "layer":
        whole = replace(whole, kind="attention")
    if whole is None or whole.kind not in ATTENDING or str(whole) not in spec.parts:
        raise InputError(
            f"{name} of {spec.model_id} does not attend.", "Name what does: attention_*, attention_3, 0,-1."
        )
    return str(whole)


def _sides(lifted: Lifted, batch: Batch, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tokens of queries and keys: an encoder reads the prompt, a decoder what was written so far."""
    address = parse(name)
    assert address is not None
    words = Words(lifted.tokenizer)
    prompt, written = words.of(batch.input_ids[0].tolist()), words.of(read_ids(batch).tolist())
    queries = prompt if address.stack == ENCODER else written
    return queries, prompt if address.kind == "cross_attention" else queries

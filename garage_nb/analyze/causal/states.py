"""States: what several places hold for every token of one prompt, read in the pass that also gives the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ...core import room
from ...core.batch import Batch
from ...core.run import logits
from ...core.sites import Read, Site, Tap
from ...errors import InputError
from ...inject.place import place_of
from ...registry.lift import Lifted
from ...registry.room import numbers_a_token

BUDGET = room.KEPT


@dataclass(frozen=True, eq=False)
class States:
    """`logits` (vocab,) are those of the last token, `rows` what is at each place, (tokens, dim)."""

    logits: Tensor
    rows: dict[str, Tensor]


def states(lifted: Lifted, batch: Batch, taps: Sequence[Tap], names: Sequence[str]) -> States:
    """One pass over one prompt, with `taps` in force before anything is read.

    InputError for a place without one row a token, such as an attention pattern, and for more than the budget.
    """
    demand_room(lifted, batch.input_ids.shape[1], names)
    found: dict[Site, Tensor] = {}
    sites = {name: place_of(lifted.spec, name).site for name in names}
    reads = [read_into(found, site) for site in dict.fromkeys(sites.values())]
    answer = logits(lifted.model, batch, [*taps, *reads], last=1, chain=lifted.spec.chain)
    return States(answer[0, -1], {name: _rows(name, found[site]) for name, site in sites.items()})


def read_into(found: dict[Site, Tensor], site: Site) -> Read:
    """Keeps a copy: some blocks write into their output afterwards."""

    def keep(hidden: Tensor) -> None:
        found[site] = hidden.detach().clone()

    return Read(site, keep)


def demand_room(lifted: Lifted, tokens: int, names: Sequence[str]) -> None:
    """InputError for so many tokens at all these places at once."""
    size = next(lifted.model.parameters()).element_size()
    need = tokens * size * sum(numbers_a_token(lifted.spec, name, tokens) for name in names)
    what = f"{len(names):,} places of {tokens:,} tokens"
    room.demand_room(what, need, BUDGET, "Name fewer parts, or give shorter or fewer prompts.")


def _rows(name: str, hidden: Tensor) -> Tensor:
    if hidden.ndim == 3 and hidden.shape[0] == 1:
        return hidden[0]
    if hidden.ndim == 2:
        return hidden
    raise InputError(
        f"{name} holds {tuple(hidden.shape)}, not one row a token.", "Name layers, attentions, ffns or heads."
    )

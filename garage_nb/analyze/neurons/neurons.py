"""Reading neurons: over prompts of several domains, one prompt after the other, of which only counts are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...core import room
from ...core.batch import Prompt
from ...core.run import read
from ...core.sites import Read, Tap
from ...core.tokenwise import token_rows
from ...errors import InputError
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ..texts.domains import Domains, texts_by_domain, with_neurons
from ..texts.prompt import Words, ids_of
from .answer import Layer, Neurons
from .firing import THRESHOLD, Loudest, fires
from .specialisation import Tally, index

TOP, RELABELLINGS = 5, 200
BUDGET = 1 << 30  # bytes of counts


def neurons(
    lifted: Lifted,
    prompts: Prompt | Domains,
    edits: Sequence[Tap] = (),
    layers: Selector = "ffn_*",
    *,
    threshold: float = THRESHOLD,
    relabellings: int = RELABELLINGS,
    seed: int = 0,
) -> Neurons:
    """Every neuron of the parts named. `prompts` by domain, or of one domain alone, which has no specialisation.

    InputError for parts without neurons or of two stacks, and when the counts would take more memory than the budget.
    """
    if not 0 <= threshold < float("inf"):
        raise InputError(f"{threshold:g} is no threshold.", f"The usual is {THRESHOLD:g} times the root mean square.")
    if relabellings < 0:
        raise InputError(f"{relabellings} relabellings cannot be drawn.", "Give 0 for none, or 200.")
    sites = {name: lifted.spec.site(f"{name}.neurons") for name in with_neurons(lifted, layers)}
    texts = texts_by_domain(lifted, prompts)
    domains, batches = list(texts), [batch for each in texts.values() for batch in each]
    labels = [place for place, each in enumerate(texts.values()) for _ in each]
    drawn = relabellings if len(domains) > 1 else 0
    sizes = {name: lifted.spec.parts[name].intermediate_dim or 0 for name in sites}
    _demand_room(sum(sizes.values()), len(domains), drawn)
    tallies = {name: Tally(labels, len(domains), size, drawn, seed) for name, size in sizes.items()}
    loudest = {name: Loudest.none(size) for name, size in sizes.items()}
    special = torch.tensor(sorted(getattr(lifted.tokenizer, "all_special_ids", ())), dtype=torch.long)
    for number, batch in enumerate(batches):
        found: dict[str, Tensor] = {}
        reads = [Read(site, _keeper(found, name, site)) for name, site in sites.items()]
        read(lifted.model, batch, [*edits, *reads], chain=lifted.spec.chain)
        ids = ids_of(batch, list(sites)).cpu()
        real = ~torch.isin(ids, special)
        for name, hidden in found.items():
            rows = hidden[real.to(hidden.device)]
            tallies[name].add(fires(rows, threshold).sum(0).cpu(), len(rows))
            loudest[name] = loudest[name].with_more(rows.float().cpu(), ids[real], number, TOP)
    return _answer(lifted, threshold, domains, len(batches), tallies, loudest)


def _answer(
    lifted: Lifted,
    threshold: float,
    domains: list[str],
    prompts: int,
    tallies: dict[str, Tally],
    loudest: dict[str, Loudest],
) -> Neurons:
    layers = {}
    for name, tally in tallies.items():
        tally.settle()
        rates, tokens = tally.rates(), tally.tokens[0].double()
        if not bool((tokens > 0).all()):
            empty = domains[int((tokens == 0).nonzero()[0, 0])]
            raise InputError(f"The prompts of {empty!r} hold only special tokens.", "Give some words.")
        rate = tally.fired[0].double().sum(0) / tokens.sum()
        layers[name] = Layer(rates, rate, index(rates), tally.chance(), loudest[name])
    counts = dict(zip(domains, map(int, tokens.tolist()), strict=True))
    said = {int(token) for one in loudest.values() for token in one.tokens.unique()}
    texts = dict(zip(sorted(said), Words(lifted.tokenizer).of(sorted(said)), strict=True))
    return Neurons(lifted.spec.model_id, threshold, prompts, counts, layers, texts)


def _keeper(found: dict[str, Tensor], name: str, site: Any) -> Any:
    def keep(hidden: Tensor) -> None:
        found[name] = token_rows(site, hidden.detach())

    return keep


def _demand_room(neurons: int, domains: int, relabellings: int) -> None:
    what = f"Counts of {neurons:,} neurons in {domains} domains, relabelled {relabellings} times,"
    need = 4 * neurons * domains * (relabellings + 1)
    room.demand_room(what, need, BUDGET, "Name fewer layers (ffn_3), or fewer relabellings.")

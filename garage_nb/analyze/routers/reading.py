"""Reading routers: over prompts of several domains, one after the other, what the experts were really told.

Indices and weights are read where the experts take them, behind whatever formula the router has, and behind edits in
force. Special tokens are left out, and there is no padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...core import room
from ...core.batch import Batch, Prompt
from ...core.progress import progress
from ...core.run import read
from ...core.sites import Read, Site, Tap
from ...errors import EditError, InputError
from ...registry.lift import Lifted
from ...registry.routes import Route, route_of, routes
from ...registry.selecting import Selector
from ..bootstrap import bootstrap
from ..texts.domains import Domains, texts_by_domain
from ..texts.prompt import read_ids
from .information import Sightings, information
from .routing import Router, Routing
from .tally import Tally

RELABELLINGS = 200
BUDGET = 1 << 30  # bytes of choices by token and prompt


def routing(
    lifted: Lifted,
    prompts: Prompt | Domains,
    edits: Sequence[Tap] = (),
    layers: Selector = "gate_*",
    *,
    relabellings: int = RELABELLINGS,
    seed: int = 0,
) -> Routing:
    """Every router named. `prompts` by domain, or of one domain alone, of which a choice can tell nothing.

    EditError for a part that sends no tokens to experts. InputError for prompts of special tokens alone, and where the
    choices would take more memory than the budget.
    """
    if relabellings < 0:
        raise InputError(f"{relabellings} relabellings cannot be drawn.", "Give 0 for none, or 200.")
    chosen = routes_in(lifted, layers)
    texts = texts_by_domain(lifted, prompts)
    domains, batches = list(texts), [batch for each in texts.values() for batch in each]
    labels = torch.tensor([place for place, each in enumerate(texts.values()) for _ in each])
    _demand_room(chosen, batches)
    special = torch.tensor(sorted(getattr(lifted.tokenizer, "all_special_ids", ())), dtype=torch.long)
    tallies, tokens = [Tally() for _ in chosen], []
    with progress("reading routers", "text", len(batches)) as bar:
        for number, batch in enumerate(batches):
            ids = read_ids(batch).cpu()
            real = ~torch.isin(ids, special)
            for tally, (told, logits) in zip(tallies, _told(lifted, batch, edits, chosen), strict=True):
                kept = real.to(told.device)
                tally.add(told[kept], None if logits is None else logits[kept], ids[real], number)
            tokens.append(int(real.sum()))
            bar.update()
    counts = torch.tensor(tokens, dtype=torch.float64)
    sums = torch.zeros(len(domains), dtype=torch.float64).index_add_(0, labels, counts)
    if empty := [name for name, count in zip(domains, sums.tolist(), strict=True) if not count]:
        raise InputError(f"The prompts of {empty[0]!r} hold only special tokens.", "Give some words.")
    drawn = relabellings if len(domains) > 1 else 0
    found = [_router(*pair, labels, counts, drawn, seed) for pair in zip(chosen, tallies, strict=True)]
    return Routing(
        model_id=lifted.spec.model_id,
        prompts=len(batches),
        tokens=dict(zip(domains, map(int, sums.tolist()), strict=True)),
        routers={route.gate or route.ffn: one for route, one in zip(chosen, found, strict=True)},
        relabellings=drawn,
    )


def routes_in(lifted: Lifted, layers: Selector) -> list[Route]:
    """Of routers by their names, or by those of the halves that they stand in; each once."""
    if not routes(lifted.spec):
        what = f"{lifted.spec.model_id} sends no tokens to experts that share a module."
        raise EditError(what, "Load a model that does: showroom-moe.")
    names = lifted.spec.usable(layers)
    found = {route.ffn: route for route in (route_of(lifted.spec, name) for name in names)}
    return list(found.values())


def _told(
    lifted: Lifted, batch: Batch, edits: Sequence[Tap], chosen: list[Route]
) -> list[tuple[Tensor, Tensor | None]]:
    """Of each route what the experts are told, and the logits where there are some, both (tokens, experts)."""
    found: dict[Site, Tensor] = {}
    sites = [(route.at, logits_of(lifted, route)) for route in chosen]
    reads = [Read(site, _keeper(found, site)) for pair in sites for site in pair if site is not None]
    read(lifted.model, batch, [*edits, *reads], chain=lifted.spec.chain)
    return [(found[at], None if logits is None else found[logits]) for at, logits in sites]


def logits_of(lifted: Lifted, route: Route) -> Site | None:
    """None for a router that is no module of its own."""
    return replace(lifted.spec.site(route.gate), side="choice") if route.gate else None


def _keeper(found: dict[Site, Tensor], site: Site) -> Any:
    def keep(hidden: Tensor) -> None:
        found[site] = hidden.detach().reshape(-1, hidden.shape[-1])

    return keep


def _router(route: Route, tally: Tally, labels: Tensor, tokens: Tensor, relabellings: int, seed: int) -> Router:
    choices, weights = torch.stack(tally.choices), torch.stack(tally.weights)
    counted = torch.tensor([tally.entropy, tally.dominance], dtype=torch.float64).T  # (prompts, 2)
    of_each = [labels == place for place in range(int(labels.max()) + 1)]
    return Router(
        per_token=route.per_token,
        load=bootstrap(choices, sizes=tokens, seed=seed),
        by_domain=tuple(bootstrap(choices[mine], sizes=tokens[mine], seed=seed) for mine in of_each),
        weights=torch.stack([weights[mine].sum(0) / tokens[mine].sum() for mine in of_each]),
        measures=bootstrap(counted, sizes=tokens, seed=seed),
        measures_by_domain=torch.stack([counted[mine].sum(0) / tokens[mine].sum() for mine in of_each]),
        choices=torch.stack([choices[mine].sum(0) for mine in of_each]),
        information=information(Sightings.together(tally.seen), labels, relabellings, seed),
    )


def _demand_room(chosen: list[Route], batches: list[Batch]) -> None:
    tokens = sum(batch.input_ids.numel() for batch in batches)
    need = 8 * tokens * sum(route.experts for route in chosen)
    what = f"Choices of {tokens:,} tokens by {len(chosen)} routers"
    room.demand_room(what, need, BUDGET, "Name fewer routers (gate_3), or give fewer prompts.")

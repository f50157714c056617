"""Fitted: maps between two models by least squares, from the same texts read by both.

"Model stitching" with an affine layer: Bansal et al., "Revisiting Model Stitching to Compare Neural Representations"
(2021); by least squares rather than training as in Pan et al., "Stitchable Neural Networks" (2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from ...core.batch import Batch
from ...core.progress import progress
from ...core.regression import Linear, Sums, added
from ...core.run import read
from ...core.singly import singly
from ...core.sites import Read, Site
from ...core.stats import exact
from ...errors import BuildError, NotFiniteError
from ..layout.layout import Occupant
from .maps import Maps

RIDGE = 1e-3  # of the mean variance of a dimension
HELD_OUT = 5  # every so many-th text is left out of the fit, to see how well it does there

Both = tuple[Sums | None, Sums | None]  # of what is fitted on, and of what is held out


def fitted(guest: Occupant, host: Occupant, texts: Sequence[str], *, shifting: bool) -> Maps:
    """`into` from what enters the host's part to what enters the guest's, `out` from the stream that leaves the guest's
    layer to that which leaves the host's. The models are the donors as they are. `shifting`: with a bias on the way in;
    on the way out none is needed, for what a part adds is a difference.

    BuildError for other tokens, or fewer of them than a map has rows; NotFiniteError for NaN.
    """
    _demand_same_tokens(guest, host)
    whole = host.donor.whole
    batches = singly(list(texts), whole.model, whole.tokenizer)
    tokens = sum(batch.input_ids.shape[1] for batch in batches)
    rows = max(guest.donor.spec.hidden_dim, host.donor.spec.hidden_dim)
    if tokens <= rows or len(batches) < HELD_OUT:
        raise BuildError(
            f"{len(batches)} texts of {tokens:,} tokens are too few to fit maps of {rows:,} dimensions.",
            f"Give {HELD_OUT} texts at least, of more than {rows:,} tokens; ten times as many as a rule.",
        )
    into, out = _sums(guest, host, batches)
    there, back = _solved(into, shifting), _solved(out, True)
    held = len(batches) // HELD_OUT
    said = (
        f"fitted on {tokens:,} tokens of {len(batches)} texts; of the variance in the {held} held out, "
        f"{there[1]:.2f} is explained on the way in and {back[1]:.2f} on the way out"
    )
    return Maps(there[0].weight.cpu(), there[0].bias.cpu(), back[0].weight.cpu(), said)


def _sums(guest: Occupant, host: Occupant, batches: Sequence[Batch]) -> tuple[Both, Both]:
    into: list[Sums | None] = [None, None]
    out: list[Sums | None] = [None, None]
    with progress("fitting adapters", "text", len(batches)) as bar:
        for number, batch in enumerate(batches):
            ours, theirs = _states(host, batch), _states(guest, batch)
            kept = int(number % HELD_OUT == HELD_OUT - 1)
            into[kept] = added(into[kept], ours[0], theirs[0])
            out[kept] = added(out[kept], theirs[1], ours[1])
            bar.update()
    return (into[0], into[1]), (out[0], out[1])


def _states(who: Occupant, batch: Batch) -> tuple[Tensor, Tensor]:
    """(tokens, dim) that enter the part, and that leave its layer."""
    layer = who.part.layer_idx
    assert layer is not None
    sites = [Site(who.part.module_path, "input"), Site(who.donor.spec.get_full_layer(layer).module_path)]
    seen: dict[Site, Tensor] = {}
    read(who.donor.model, batch, [Read(site, partial(_keep, seen, site)) for site in sites])
    for hidden in seen.values():
        if not bool(hidden.isfinite().all()):
            raise NotFiniteError(f"NaN or infinity passes {who}.", "Load it in float32, or fit on other texts.")
    return seen[sites[0]], seen[sites[1]]


def _keep(seen: dict[Site, Tensor], site: Site, hidden: Tensor) -> None:
    seen[site] = exact(hidden[0])


def _solved(sums: Both, shifting: bool) -> tuple[Linear, float]:
    fit, held = sums
    assert fit is not None
    assert held is not None
    found = fit.solved(RIDGE) if shifting else fit.through_zero(RIDGE)
    return found, held.explained(found)


def _demand_same_tokens(guest: Occupant, host: Occupant) -> None:
    known = [who.donor.spec.extra_info.get("tokenizer") for who in (guest, host)]
    if None in known or known[0]["digest"] != known[1]["digest"]:  # type: ignore[index]
        raise BuildError(
            f"{guest.donor.name} and {host.donor.name} do not read the same tokens, so no adapter can be fitted.",
            "Fit between models of one tokenizer, and load both with it.",
        )

"""Beside: a second model, run on the token ids of the call under way. While one generates, so does the other: each new
token alone, behind a cache of keys and values of its own.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.attach import Attached
from ...core.batch import Limits, positions_under
from ...core.cancel import cancel_of
from ...core.run import inner_run, under_way
from ...core.sites import Read
from ...core.standing import Standing
from ...errors import EditError
from ...registry.lift import Lifted
from .lockstep import Lockstep


class Beside:
    """Of one pass, or of all calls of one generation; it runs when it is first asked after a call began."""

    def __init__(self, source: Lifted, place: str) -> None:
        """UnknownPartError for a place that the source does not have."""
        self._source, self._site = source, source.spec.site(place)
        self._standing: Standing | None = None
        self._states: Tensor | None = None
        self._steps = Lockstep()
        self._running = False

    def told(self, standing: Standing) -> None:
        """A call of the target begins."""
        if self._running:
            raise _itself(self._source)
        self._standing, self._states = standing, None
        self._steps.began(standing)

    def states(self, hidden: Float[Tensor, "*tokens dim"]) -> Float[Tensor, "*tokens source"]:
        """What the source has for the tokens whose hidden states those are, in float32 or wider, on their device."""
        if self._states is None:
            self._states = self._run()
        found = self._states
        rows = hidden.shape[:-1].numel() // found.shape[1]
        if rows != len(found):
            found = self._some(found, rows)
        wide = torch.promote_types(hidden.dtype, torch.float32)
        return found.to(hidden.device, wide).reshape(*hidden.shape[:-1], found.shape[-1])

    def _some(self, found: Tensor, rows: int) -> Tensor:
        """Of variants that run side by side each has the same tokens, and asks for its own rows."""
        ids = self._ids()
        if rows > len(found) or not bool((ids == ids[:1]).all()):
            raise EditError(
                f"The source read {len(found)} texts where {rows} pass.", "Run the variants one after the other."
            )
        return found[:rows]

    def _ids(self) -> Tensor:
        call = None if self._standing is None else self._standing.call
        if call is None or call.decodes or call.tokens.is_floating_point():
            raise EditError(
                "A blade with a source needs the token ids, and this call brings none.",
                "Call the model itself on input_ids; an encoder–decoder model cannot be a target.",
            )
        return call.tokens

    def _run(self) -> Float[Tensor, "batch seq source"]:
        given, seen = self._given(), list[Tensor]()
        model = self._source.model
        self._running = True
        try:
            with inner_run(model):
                read = Read(self._site, lambda hidden: seen.append(hidden.clone()))
                with Attached(model, [read], cancel=cancel_of(model)):
                    output = under_way(model, partial(model, **given))
        finally:
            self._running = False
        ids = self._ids()
        self._steps.made(self._standing, output)
        return seen[0].reshape(*ids.shape, -1)

    def _given(self) -> dict[str, Any]:
        """What the target was called with, as far as the source takes it, and where it left off."""
        ids, standing = self._ids(), self._standing
        assert standing is not None
        mask, positions = standing.given.get("attention_mask"), standing.given.get("position_ids")
        if mask is not None and (not isinstance(mask, Tensor) or mask.ndim != 2):
            raise EditError("The source cannot tell padding from this mask.", "Give one of (batch, seq).")
        _demand_known(ids, self._source)
        if positions is None and mask is not None and (whole := positions_under(mask)) is not None:
            positions = whole[:, -ids.shape[1] :]
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        taken = inspect.signature(self._source.model.forward).parameters
        device = next(self._source.model.parameters()).device
        there = {name: it.to(device) for name, it in given.items() if it is not None and name in taken}
        return {**there, **self._steps.given(standing)}


def _demand_known(ids: Tensor, source: Lifted) -> None:
    if int(ids.max()) >= (vocab := Limits.of(source.model).vocab):
        raise EditError(f"Token id {int(ids.max())} is out of the source's vocabulary of {vocab}.", "Take another one.")


def _itself(source: Lifted) -> EditError:
    return EditError(
        f"The source {source.spec.model_id} is the very model that runs.",
        "Load it a second time to use it as a source.",
    )

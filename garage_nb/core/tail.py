"""Tail: what a model makes of hidden states after its last block, be it norms, a head, soft caps or multipliers.

The model itself is called, and every block answers with the given states instead of running. So nothing of what comes
after has to be known, and nothing of it can be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..errors import UnsupportedModelError
from .batch import Batch
from .calling import answer, asked
from .chain import Chain, Link
from .kept import Kept
from .prefix import Prefix, answers_for, recorded
from .run import attached_for, logits, own_run, under_way
from .sites import Read, Reader, Site, Tap, leaving, with_leaving

TOLERANCE = 1e-5  # of the largest logit; as a rule not a bit differs


@dataclass(frozen=True, eq=False)
class Whole:
    """One pass: the model's own logits, the hidden states read, and what the last block of each stack returned."""

    logits: Tensor
    hidden: dict[Site, Tensor]
    ends: dict[str, Any]


def whole(model: nn.Module, batch: Batch, chain: Chain, edits: Sequence[Tap], sites: Iterable[Site]) -> Whole:
    """The pass that `tail` goes on from. UnsupportedModelError where that does not lead to the model's own logits."""
    hidden: dict[Site, Tensor] = {}
    recorder = recorded(chain, len(chain))
    last = {str(link.stack): _leaving(link) for link in chain.links}
    reads = [Read(site, _keeper(hidden, site)) for site in dict.fromkeys([*sites, *last.values()])]
    found = logits(model, batch, [*edits, *reads, *recorder.taps()], chain=chain)
    ends = {stack: with_leaving(recorder.outputs[stack], hidden[site]) for stack, site in last.items()}
    done = Whole(found, hidden, ends)
    _demand_same(model, tail(model, batch, chain, edits, done), found)
    return done


def tail(
    model: nn.Module, batch: Batch, chain: Chain, edits: Iterable[Tap], done: Whole, hidden: Tensor | None = None
) -> Tensor:
    """Logits (batch, seq, vocab) that the model makes of `hidden`; of what left its last block when left out.

    Edits inside blocks have acted on the hidden states already; those behind them act here.
    """
    stack = str(chain.links[-1].stack)
    ends = done.ends if hidden is None else {**done.ends, stack: with_leaving(done.ends[stack], hidden)}
    answers = answers_for(chain, Kept((), batch, (), ends, len(chain)))
    after = [tap for tap in edits if not any(link.holds(tap.site) for link in chain.links)]
    with own_run(model), attached_for(model, batch, Prefix(answers), after):
        return answer(under_way(model, asked(model, batch, use_cache=False)))


def width_at_end(chain: Chain, done: Whole) -> tuple[int, ...]:
    """The shape that hidden states must have to be gone on from."""
    return tuple(leaving(done.ends[str(chain.links[-1].stack)]).shape)


def _leaving(link: Link) -> Site:
    return Site(link.path, turn=link.turn, stack=link.stack)


def _keeper(hidden: dict[Site, Tensor], site: Site) -> Reader:
    def keep(found: Tensor) -> None:
        hidden.setdefault(site, found.detach().clone())  # some blocks write into their output afterwards

    return keep


def _demand_same(model: nn.Module, again: Tensor, found: Tensor) -> None:
    if again.shape != found.shape or not bool((again - found).abs().max() <= TOLERANCE * found.abs().max()):
        raise UnsupportedModelError(
            f"What {type(model).__name__} does after its last block depends on more than what leaves that block.",
            "Its layers cannot be read as predictions; read them with capture.",
        )

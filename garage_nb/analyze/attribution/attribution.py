"""Attribution: what every half of a block, head or neuron adds to a logit directly (direct logit attribution).

The stream is a sum: what enters the first block and what every half adds. Behind a final norm whose scale is held at
its actual value a logit is linear in that sum, so it is a sum of contributions (Elhage et al. 2021; Wang et al. 2022).
They sum to the logit exactly, up to the rounding of the model's own numbers, which is a row of its own. Direct means:
what a part does by changing what later parts do is not in it; ask patching for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jaxtyping import Float
from torch import Tensor

from ...core.batch import Prompt
from ...core.sites import Tap
from ...errors import InputError, UnsupportedModelError
from ...registry.lift import Lifted
from ...registry.part_spec import PartType
from ...registry.specs import ModelSpec
from ...view.bars import Column, Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..texts.prompt import Words, one_prompt, read_ids, said
from .passage import Passage, halves, passage
from .reading_off import entering, readout
from .unit_shares import inner_sites, shares

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

By = Literal["halves", "heads", "neurons"]
UNIT = {"heads": "head", "neurons": "neuron"}
KINDS = {"heads": (PartType.ATTENTION, PartType.CROSS_ATTENTION), "neurons": (PartType.FFN,)}
START, BIAS, ROUNDING = "layer_0.before", "biases behind the blocks", "rounding"
SHOWN = 40  # rows of a table; the frame holds them all


@dataclass(frozen=True, eq=False, repr=False)
class Attribution(Drawn):
    """Contributions in logits, by name, in the order in which they are added; they sum to `logit`.

    With a foil the logit is the difference of two. Under a soft cap `cap` (0: none) it is the one before the cap.
    """

    model_id: str
    prompt: str
    reads: str
    target: str
    foil: str | None
    by: str
    logit: float
    cap: float
    parts: dict[str, float]

    def largest(self, count: int = 10) -> list[tuple[str, float]]:
        """The names that add or take most."""
        return sorted(self.parts.items(), key=lambda pair: -abs(pair[1]))[:count]

    def frame(self) -> pd.DataFrame:
        """One row a contribution, with its share of the logit."""
        rows = [[value, value / self.logit if self.logit else float("nan")] for value in self.parts.values()]
        return framed("part", self.parts, ["contribution", "share"], rows)

    def plot(self, ax: Axes | None = None) -> Plot:
        """Contributions in the order in which they are added; of heads and neurons the largest."""
        from ...view.plots import line

        kept = {name for name, _ in self.largest(SHOWN)}
        shown = {name: value for name, value in self.parts.items() if name in kept}
        label = f"contribution to {self._named()}, logits"
        drawn = line(list(shown), list(shown.values()), label=label, across="", ax=ax)
        return Plot(drawn, f"{label}, {len(shown)} of {len(self.parts)} parts, after {self.prompt!r}", self.frame)

    def picture(self) -> Table:
        """In the order in which they are added, or the largest first where there are many."""
        shown = list(self.parts.items()) if len(self.parts) <= SHOWN else self.largest(SHOWN)
        columns = [Column("contribution, logits", [value for _, value in shown], bar=True)]
        rest = len(self.parts) - len(shown)
        more = f" · {rest:,} smaller ones in .frame()" if rest else ""
        capped = f", before its soft cap of {self.cap:g}" if self.cap else ""
        caption = f"{self._named()} after {self.reads!r} is {self.logit:.4g}{capped}{more}"
        return Table([name for name, _ in shown], columns, title=self.prompt, caption=caption)

    def _named(self) -> str:
        return f"{self.target!r}" if self.foil is None else f"{self.target!r} − {self.foil!r}"


def attribution(
    lifted: Lifted,
    prompt: Prompt,
    edits: Sequence[Tap] = (),
    *,
    target: str | int | None = None,
    foil: str | int | None = None,
    position: int = -1,
    by: By = "halves",
) -> Attribution:
    """One pass. `target` and `foil` are texts that are one token, or ids; the target is the likeliest when left out.

    UnsupportedModelError where the stream is no sum of what the halves add (norms on the stream), or the logits are
    not a norm and a head of it: nothing is attributed that does not sum.
    """
    if by not in ("halves", *UNIT):
        raise InputError(f"Nothing can be attributed by {by!r}.", f"There are: halves, {', '.join(UNIT)}.")
    spec, words = lifted.spec, Words(lifted.tokenizer)
    aims = [words.number(one) if isinstance(one, str) else one for one in (target, foil)]
    batch, layers = one_prompt(prompt, lifted), halves(spec)
    split = _split(lifted, layers, by)
    inner = [site for name in split for site in inner_sites(lifted, name, UNIT[by])]
    stream = [spec.site(START), *(spec.site(name) for layer, parts in layers.items() for name in (layer, *parts))]
    seen = passage(lifted, batch, edits, [*stream, *inner, entering(lifted)], position)
    said_off = readout(lifted, seen)
    token = int(said_off.logits.argmax()) if aims[0] is None else _known(spec, aims[0])
    other = None if aims[1] is None else _known(spec, aims[1])
    direction, constant = said_off.direction(token, other)
    found = {START: float(direction @ seen.at[spec.site(START)])}
    for parts in layers.values():
        for name in parts:
            found |= _of_part(lifted, seen, name, UNIT[by] if name in split else "", direction, edits)
    found |= _of_edits(lifted, seen, layers, edits, direction)
    logit = float(said_off.logits[token] - (0.0 if other is None else said_off.logits[other]))
    found |= {BIAS: constant} if constant else {}
    named = [None if one is None else words.of([one])[0] for one in (token, other)]
    return Attribution(
        spec.model_id, said(prompt, batch, words), words.of([int(read_ids(batch)[position])])[0], str(named[0]),
        named[1], by, logit, said_off.cap, {**found, ROUNDING: logit - sum(found.values())},
    )  # fmt: skip


def _of_part(
    lifted: Lifted, seen: Passage, name: str, unit: str, direction: Float[Tensor, " dim"], edits: Sequence[Tap]
) -> dict[str, float]:
    if not unit:
        return {name: float(direction @ seen.at[lifted.spec.site(name)])}
    told, added, rest = shares(lifted, seen, name, unit, direction, edits)
    each = {f"{name}.{unit}_{number}": value for number, value in enumerate(told.tolist())}
    beside = {f"{name} biases": added, f"edits of {name}": rest}
    return each | {row: value for row, value in beside.items() if value}


def _of_edits(
    lifted: Lifted, seen: Passage, layers: dict[str, list[str]], edits: Sequence[Tap], direction: Float[Tensor, " dim"]
) -> dict[str, float]:
    """What a layer's stream holds beyond what its halves added: the doing of edits, or the model has no such sum."""
    spec, found = lifted.spec, {}
    before = seen.at[spec.site(START)]
    links = {link.name: link for link in spec.chain.links}
    for layer, parts in layers.items():
        after = seen.at[spec.site(layer)]
        rest = after - before - sum(seen.at[spec.site(name)] for name in parts)
        if float(rest.abs().max()) > seen.tolerance * _size(
            after, before, *(seen.at[spec.site(name)] for name in parts)
        ):
            if not any(links[layer].holds(tap.site) for tap in edits):
                raise UnsupportedModelError(
                    f"What leaves {layer} of {spec.model_id} is not the sum of what its halves add.",
                    "Its norms or factors act on the stream itself; read it with lens, or ask patching.",
                )
            found[f"edits of {layer}"] = float(direction @ rest)
        before = after
    stream = seen.at[entering(lifted)]
    if not seen.is_same(before, stream):
        raise UnsupportedModelError(
            f"Between the last block of {spec.model_id} and its final norm something else acts.",
            "Take back edits there; else read it with lens.",
        )
    return found


def _size(*vectors: Tensor) -> float:
    return max(float(one.abs().max()) for one in vectors)


def _split(lifted: Lifted, layers: dict[str, list[str]], by: str) -> list[str]:
    """The parts whose units are told apart; those without stay whole. InputError where none has any."""
    if by == "halves":
        return []
    parts = {name: lifted.spec.parts[name] for names in layers.values() for name in names}
    kinds = {name: part for name, part in parts.items() if part.part_type in KINDS[by]}
    found = [name for name, part in kinds.items() if part.count_of(by)]
    if not found:
        raise InputError(
            f"{lifted.spec.model_id} has no {by} that can be told apart.", "Attribute to whole parts: by halves."
        )
    return found


def _known(spec: ModelSpec, token: int) -> int:
    if not 0 <= token < spec.vocab_size:
        raise InputError(f"There is no token {token}.", f"Ids are 0 to {spec.vocab_size - 1:,}.")
    return token

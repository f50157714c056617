"""Combining: which parts of another model would do in this one's places, and this one with less in it."""

from __future__ import annotations

from typing import Any, Literal

from ..compose.assembly.reopening import relifted
from ..compose.assembly.saving import model_folder
from ..errors import InputError
from ..methods.stitching.matrix import StitchingMatrix
from ..methods.stitching.study import stitching
from ..pipelines.slim.slim import slim
from ..pipelines.slim.slimmed import Slimmed
from ..registry.lift import Lifted
from ..verbs import verb
from .session import Layers, Session
from .showroom_texts import showroom_exercises, showroom_texts

FITTED_ON, CHOSEN_BY, ASKED = 20, 60, 20  # texts of each domain to fit on, to choose by, and items for a matrix


class Combining(Session):
    @verb()
    def stitching(
        self,
        source: Any = None,
        *,
        part: Layers = "layer_*",
        adapter: Literal["none", "fit"] = "none",
        texts: Any = None,
        items: Any = None,
        fitted: Any = None,
        seed: int = 0,
    ) -> StitchingMatrix:
        """Put each part of another model in each place of this one's, one at a time, and score what comes of it.

        Args:
            source: a model or hybrid as load takes it, or @model; the model itself when left out
            part: parts of one kind: layer_*, attention_*, ffn_0,ffn_1
            adapter: linear maps around the part, fitted by least squares
            texts: @texts, or a dict from domain to texts; the showroom's held-out ones when both are left out
            items: a .json or .csv file of prompt, answer and domain, or @items, pairs or dicts; the showroom's too
            fitted: @texts that adapters are fitted on, none of them among the texts; the showroom's own when left out
            seed: for random weights, and for the intervals
        """
        alone = texts is None and items is None
        texts, items = (showroom_texts(), showroom_exercises(ASKED)) if alone else (texts, items)
        guest = self.lifted if source is None else _one(source)
        return stitching(
            self.lifted,
            guest,
            self.edits,
            part,
            adapter=adapter,
            texts=texts,
            exercises=items,
            fitted_on=_fitted_on(fitted) if adapter == "fit" else (),
            seed=seed,
        )

    @verb()
    def slim(
        self,
        *,
        loss: float = 0.05,
        by: Literal["layers", "neurons", "both"] = "both",
        texts: Any = None,
        items: Any = None,
        to: str | None = None,
        seed: int = 0,
    ) -> Slimmed:
        """Take layers and neurons out, as many as a stated price in loss allows, and say what that saves and costs.

        Args:
            loss: nats per token that the loss may rise by, at the upper end of a 95 % interval over texts
            by: what is taken out: layers, neurons, or first the one and then the other
            texts: @texts, or a dict from domain to texts, parted in three to choose, to decide and to test
            items: as for judge, asked at the end; the showroom's when both are left out
            to: a folder to save it in, for AutoModelForCausalLM.from_pretrained
            seed: for parting the texts, for what goes at random, and for the intervals
        """
        lifted, folder = self.unedited, None if to is None else model_folder(to)
        alone = texts is None and items is None
        items = showroom_exercises() if alone else items
        read = showroom_texts(count=CHOSEN_BY) if texts is None else texts
        found = slim(lifted, read, items, loss=loss, by=by, seed=seed)
        return found if folder is None else found.saved(folder)


def _one(source: Any) -> Lifted:
    """InputError for several, as text with commas."""
    found = relifted(source)
    if len(found) != 1:
        raise InputError(f"{len(found)} models were named, and one gives its parts.", "Name one.")
    return next(iter(found.values()))


def _fitted_on(fitted: Any) -> tuple[str, ...]:
    if fitted is None:
        return tuple(text for several in showroom_texts("train", FITTED_ON).values() for text in several)
    return (fitted,) if isinstance(fitted, str) else tuple(fitted)

"""Pathways: neurons that answers need and neurons that harm them, and models without those that go."""

from __future__ import annotations

from typing import Any, Literal

from ..analyze.judging.exercise_file import read_exercises
from ..analyze.pathways.answer import FoundPathways
from ..analyze.pathways.pathways import pathways
from ..analyze.pathways.tradeoff import tradeoff
from ..analyze.pathways.tradeoff_curves import TradeoffCurves
from ..answers.slicing import Slicing, slicing
from ..compose.assembly.saving import model_folder
from ..core.numbers import Numbers, numbers
from ..errors import InputError
from ..inject.recipe import Recipe
from ..verbs import verb
from .session import Layers, Session
from .showroom_texts import showroom_exercises


class Pathways(Session):
    @verb()
    def pathways(
        self,
        items: Any = None,
        *,
        layers: Layers = "ffn_*",
        fill: Literal["zero", "mean"] = "zero",
        method: Literal["estimate", "exact"] = "estimate",
        seed: int = 0,
    ) -> FoundPathways:
        """Show which neurons harm the answers of a domain: chosen on half of the items, tried on the other half.

        Args:
            items: a .json or .csv file of prompt, answer and domain, or @items, pairs or dicts; the showroom's when
                left out
            layers: which parts: ffn_*, ffn_3, 0,-1
            fill: what stands for a neuron that is taken away: zero, or its mean over the tokens of the choosing half
            method: estimate, of all neurons by gradients, or exact, each taken away by itself: a pass a neuron
            seed: for the halves, for what is drawn, and for the intervals
        """
        return pathways(self.lifted, _asked(items), self.edits, layers, fill=fill, method=method, seed=seed)

    @verb()
    def tradeoff(
        self,
        items: Any = None,
        *,
        layers: Layers = "ffn_*",
        keep: Numbers = "0.15,0.3,0.5,0.7",
        fill: Literal["zero", "mean"] = "zero",
        seed: int = 0,
    ) -> TradeoffCurves:
        """Show what answers are worth as fewer neurons are kept, chosen for the domain, beside other choices.

        Args:
            items: as for pathways
            layers: which parts: ffn_*, ffn_3, 0,-1
            keep: shares of each part's neurons: 0.3,0.5 or start:stop:step
            fill: what stands for the others: zero, or their means
            seed: for the halves, for what is drawn, and for the intervals
        """
        return tradeoff(self.lifted, _asked(items), self.edits, layers, keep=numbers(keep), fill=fill, seed=seed)

    @verb()
    def slice(
        self,
        selection: Any = None,
        *,
        keep: float | None = None,
        domain: str | None = None,
        to: str | None = None,
        name: str = "sliced",
    ) -> Slicing:
        """Build a plain model without the neurons that go, prove it, and time it beside the dense and the masked one.

        Args:
            selection: @found, an answer of pathways, or @recipe of masks; the masks in force when left out
            keep: the share of every ffn's neurons that stays, of an answer of pathways; half when left out
            domain: for which they are kept, of such an answer; for all when left out
            to: a folder to save it in, for AutoModelForCausalLM.from_pretrained
            name: what it is called
        """
        folder = None if to is None else model_folder(to)
        made = slicing(self.lifted, self._masks(selection, domain, keep), name)
        return made if folder is None else made.saved(folder)

    def _masks(self, selection: Any, domain: str | None, keep: float | None) -> Recipe:
        if selection is not None and len(self.edits):
            raise InputError(
                f"Edits are in force, which the slice would not have: {self.edits}.", "Take them back first: reset."
            )
        if isinstance(selection, FoundPathways):
            return selection.mask(domain, keep=0.5 if keep is None else keep)
        if not isinstance(selection, Recipe | None):
            wanted = "Give @found of pathways, @recipe of masks, or none."
            raise InputError(f"A {type(selection).__name__} chooses no neurons.", wanted)
        _demand_none(keep=keep, domain=domain)
        return self.edits if selection is None else selection


def _demand_none(**options: object) -> None:
    """InputError for one that is given: nothing is left to be chosen."""
    if given := [f"--{name}" for name, value in options.items() if value is not None]:
        said = " and ".join(given)
        raise InputError(f"Masks say which neurons stay, whatever {said} says.", "Leave it out, or slice @found.")


def _asked(items: Any) -> Any:
    given = showroom_exercises() if items is None else items
    return read_exercises(given) if isinstance(given, str) else given

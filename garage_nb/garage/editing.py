"""Editing: the recipe in force, made longer, shorter, and taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..answers.brought import amounts, brought
from ..answers.edits import InForce
from ..answers.recipe import Written
from ..core.tokens import Tokens
from ..errors import InputError
from ..inject.ablate import Ablate
from ..inject.blades.edit import demand_made_for
from ..inject.borrowed.door import borrow
from ..inject.borrowed.steering import save_directions
from ..inject.edit import Edit
from ..inject.edits import Add, Noise, Scale, Steer, Through, number_or_direction
from ..inject.layer import LayerInjector
from ..inject.mask import Mask
from ..inject.patch import Patch
from ..inject.recipe import Recipe
from ..inject.router import RouterBias
from ..inject.threshold import Threshold
from ..verbs import verb, verbs_of
from .session import Layers, Session

S = TypeVar("S", bound="Editing")
_RECIPE_USAGE = "Write: recipe, recipe save tuned.json, recipe apply tuned.json"


class Editing(Session):
    @verb(session=True)
    def scale(self, part: Layers, factor: float, *, tokens: str = "all") -> InForce:
        """Multiply what leaves a part.

        Args:
            part: one or several: layer_3, attention_2.head_1, attention_*
            factor: 0 takes the part away, 1 leaves it
            tokens: which are touched: all, prompt, generated, not_first, or positions 0,-1,2:6
        """
        return self._each(part, lambda name: Scale(name, factor, tokens=Tokens(str(tokens))))

    @verb(session=True)
    def add(self, part: Layers, value: Any, *, tokens: str = "all") -> InForce:
        """Add a number or a direction to what leaves a part.

        Args:
            part: one or several, as for scale
            value: a number, or @direction for a tensor of the part's width
            tokens: which are touched, as for scale
        """
        amount = number_or_direction(value)
        return self._each(part, lambda name: Add(name, amount, tokens=Tokens(str(tokens))))

    @verb(session=True)
    def steer(self, part: Layers, direction: Any, strength: float = 1.0, *, tokens: str = "all") -> InForce:
        """Add a direction, so many times, to what leaves a part.

        Args:
            part: one or several, as for scale
            direction: @direction, a tensor of the part's width, taken as long as it is
            strength: how many times; below 0 the other way
            tokens: which are touched, as for scale
        """
        return self._each(part, lambda name: Steer(name, direction, strength, tokens=Tokens(str(tokens))))

    @verb(session=True)
    def noise(self, part: Layers, std: float = 0.1, *, seed: int = 0, tokens: str = "all") -> InForce:
        """Add seeded normal noise to what leaves a part.

        Args:
            part: one or several, as for scale
            std: as a share of the standard deviation of the hidden states there
            seed: the same seed draws the same noise
            tokens: which are touched, as for scale
        """
        return self._each(part, lambda name: Noise(name, std, seed, tokens=Tokens(str(tokens))))

    @verb(session=True)
    def ablate(
        self,
        part: Layers,
        how: Literal["zero", "mean", "resample"] = "zero",
        *,
        reference: Any = None,
        seed: int = 0,
        tokens: str = "all",
    ) -> InForce:
        """Put in place of what leaves a part something that says nothing about the prompt.

        Args:
            part: one or several, as for scale
            how: zero, the mean over a reference, or tokens drawn from it (resample)
            reference: a text, @texts, @snapshots of a capture that kept, or @rows for one part
            seed: for drawing
            tokens: which are touched, as for scale
        """
        rows = partial(brought, self.lifted, reference)
        return self._each(part, lambda name: Ablate(name, how, rows(name), seed, tokens=Tokens(str(tokens))))

    @verb(session=True)
    def patch(self, part: Layers, source: Any, *, positions: str = "all", tokens: str = "prompt") -> InForce:
        """Put what leaves a part under another prompt in place of what leaves it under this one.

        Args:
            part: one or several, as for scale
            source: another text, @snapshots of a capture that kept, or @rows for one part
            positions: which tokens of the source, as tokens says here; one of them, or as many as are touched
            tokens: which are touched: prompt, or positions 0,-1,2:6
        """
        rows = partial(brought, self.lifted, source)
        return self._each(part, lambda name: Patch(name, rows(name), positions, tokens=Tokens(str(tokens))))

    @verb(session=True)
    def mask(
        self, part: Layers, *, keep: Any = None, drop: Any = None, fill: Any = None, tokens: str = "all"
    ) -> InForce:
        """Take several heads or neurons of a part away at once.

        Args:
            part: one or several: attention_3, ffn_*
            keep: all but these go: 0,3,-1 or 4:8
            drop: these go
            fill: @fill, a tensor as wide as the part's heads or neurons that stands in their place; 0 when left out
            tokens: which are touched, as for scale
        """
        return self._each(part, lambda name: Mask(name, keep, drop, fill, tokens=Tokens(str(tokens))))

    @verb(session=True)
    def threshold(self, part: Layers, level: float, *, tokens: str = "all") -> InForce:
        """Set small entries of what leaves a part to 0; `thresholds` measures what that costs.

        Args:
            part: one or several, as for scale; ffn_*.neurons
            level: entries with |x| no larger become 0
            tokens: which are touched, as for scale
        """
        return self._each(part, lambda name: Threshold(name, level, tokens=Tokens(str(tokens))))

    @verb(session=True)
    def bias(
        self, part: Layers, amount: Any, *, expert: str | None = None, strength: float = 1.0, tokens: str = "all"
    ) -> InForce:
        """Make experts likelier or less likely before a router chooses.

        Args:
            part: one or several routers: gate_3, gate_*
            amount: the router logit bias: added to the logits of the experts named, or @amounts, one number an expert
            expert: which: 2, or 0,3,-1
            strength: how many times the amounts are added
            tokens: which are touched, as for scale
        """

        def made(name: str) -> RouterBias:
            told = amounts(self.spec, name, amount, expert)
            return RouterBias(name, told, strength=strength, tokens=Tokens(str(tokens)))

        return self._each(part, made)

    @verb("inject", session=True)
    def through(self, part: Layers, module: Any, *, tokens: str = "all") -> InForce:
        """Pass what leaves a part through a module or function of your own.

        Args:
            part: one or several, as for scale
            module: @module, a torch module or a function from a tensor to one of the same shape
            tokens: which are touched, as for scale
        """
        return self._each(part, lambda name: Through(name, module, tokens=Tokens(str(tokens))))

    @verb(session=True)
    def undo(self) -> InForce:
        """Take the last change back."""
        self.history = self.history.undo()
        return InForce(self.history)

    @verb(session=True)
    def redo(self) -> InForce:
        """Bring back what undo took away."""
        self.history = self.history.redo()
        return InForce(self.history)

    @verb(session=True)
    def reset(self) -> InForce:
        """Take every change back; undo brings them again."""
        if len(self.edits):
            self.history = self.history.to(Recipe())
        return InForce(self.history)

    @verb(session=True)
    def borrow(
        self,
        path: str,
        *,
        at: str | None = None,
        strength: float = 1.0,
        features: str = "",
        error: Literal["kept", "dropped"] = "kept",
    ) -> InForce:
        """Put in force what another library keeps in files: directions to steer by, or a sparse autoencoder.

        Args:
            path: a .safetensors, .gguf or .svec file of directions, or a folder of SAELens'
            at: where it acts, or which of several directions; as the files say when left out
            strength: how many times the directions
            features: of an autoencoder, what to scale by how much: 12=3,40=0
            error: of an autoencoder, what it does not rebuild: kept or dropped
        """
        found = borrow(path, self.spec, at=at, strength=strength, features=features, error=error)
        return self.apply(Recipe((*self.edits.edits, *found.edits)))

    @verb(session=True)
    def recipe(self, action: Literal["show", "save", "apply"] = "show", file: str | None = None) -> Written:
        """Show the changes as lines to type, save them, or put saved ones in force.

        Args:
            action: show, save or apply; applying takes the place of what is in force, and undo brings that back
            file: a .json file, or a folder, with tensors beside it; directions alone also as .safetensors or .gguf
        """
        if (action == "show") != (file is None):
            raise InputError(f"recipe {action} {'needs' if file is None else 'takes no'} FILE.", _RECIPE_USAGE)
        if action == "save":
            return Written(self.edits, verbs_of(type(self)), self._saved(str(file)))
        if action == "apply":
            found = Recipe.load(str(file))
            demand_made_for(found, self.lifted)
            self.apply(found)
        return Written(self.edits, verbs_of(type(self)))

    def apply(self, recipe: Recipe) -> InForce:
        """Put a recipe in force in place of the one that is; undo brings that back."""
        recipe.taps(self.spec)  # a place that cannot be edited is refused here, with nothing changed
        self.history = self.history.to(recipe)
        return InForce(self.history)

    @contextmanager
    def in_force(self) -> Iterator[LayerInjector]:
        """The recipe in force for your own calls of the model: `with garage.in_force(): model(**inputs)`.

        Verbs in the block apply the recipe as ever, and what they show untouched is.
        """
        with LayerInjector(self.model, aside=True) as injector:
            for edit in self.edits:
                injector.add(edit)
            yield injector

    @contextmanager
    def trial(self: S, change: Callable[[S], object]) -> Iterator[S]:
        """Make a change, put the recipe in force for your own calls, and take all of it back when the block ends.

        `with garage.trial(lambda g: g.scale("layer_3", 0.5)): model(**inputs)`
        """
        before, lifted = self.history, self._lifted
        try:
            change(self)
            with self.in_force():
                yield self
        finally:
            if self._lifted is lifted:
                self.history = before

    def _saved(self, file: str) -> Path:
        if file.endswith((".safetensors", ".gguf")):
            return save_directions(self.edits, self.spec, file)
        return self.edits.save(file)

    def _each(self, part: Layers, edit: Callable[[str], Edit]) -> InForce:
        """Several places chosen at once are one step for undo."""
        return self.apply(Recipe((*self.edits.edits, *map(edit, self.spec.usable(part)))))

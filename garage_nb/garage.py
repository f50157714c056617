"""Garage: a model on the lift, the recipe in force, and every verb. What one can do here is what one can do.

A verb answers with a value and prints nothing. `%garage capture "Hi" --layers 0,-1` is
`garage.capture("Hi", layers="0,-1")`; the command line says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from .answers.comparison import Comparison, tuned_and_untouched, two_models
from .answers.edits import InForce
from .answers.generation import Generation, Sampling, go_on
from .answers.manual import Manual
from .answers.registered import Registered
from .answers.status import Parts, Status
from .answers.verification import Verification, verify
from .core.batch import Prompt
from .core.stats import TAU
from .errors import GarageError, InputError
from .extract.part import ExtractedPart
from .extract.pytorch import PyTorchExtractor
from .inject.edits import Add, Edit, Noise, Scale, Through, number_or_direction
from .inject.layer import LayerInjector
from .inject.recipe import History, Recipe
from .registry.compare import Compatibility, compare
from .registry.lift import Lifted, lift
from .registry.models import ModelRegistry
from .registry.report import Report
from .registry.specs import ModelSpec
from .snapshot.capture import SnapshotCapture
from .snapshot.snapshots import Snapshots
from .verbs import find, verb, verbs_of
from .view.cards import Card
from .view.figure import Plot
from .view.shown import Picture, Shown

Layers = str | int | Iterable[str | int]


class Garage(Shown):
    """One model at a time. The model is never wrapped or changed: edits are in force only while a run lasts."""

    def __init__(self, source: Any = None, *, tokenizer: Any = None, **options: Any) -> None:
        """`source` as `load` takes it: an embedded name, a folder, a hub id or a live model. Empty when None."""
        self.history = History()
        self._lifted: Lifted | None = None
        if source is not None:
            self.load(source, tokenizer=tokenizer, **options)

    @property
    def lifted(self) -> Lifted:
        if self._lifted is None:
            raise GarageError("There is no model on the lift.", 'Load one first: load showroom, or Garage("showroom").')
        return self._lifted

    @property
    def loaded(self) -> bool:
        return self._lifted is not None

    @property
    def model(self) -> Any:
        return self.lifted.model

    @property
    def tokenizer(self) -> Any:
        return self.lifted.tokenizer

    @property
    def spec(self) -> ModelSpec:
        return self.lifted.spec

    def picture(self) -> Picture:
        return self.status().picture() if self.loaded else Card("The lift is empty.", note="Try: load showroom")

    @property
    def recipe(self) -> Recipe:
        return self.history.now

    @verb(session=True, model=False)
    def load(
        self,
        source: Any = "showroom",
        *,
        tokenizer: Any = None,
        dtype: str | None = None,
        device: str | None = None,
        device_map: str | None = None,
        revision: str | None = None,
    ) -> Garage:
        """Put a model on the lift.

        Args:
            source: an embedded name (showroom), a folder, a hub id, or @model for one that is in the notebook
            tokenizer: @tokenizer, for a live model
            dtype: float32, bfloat16 or float16; as stored when left out
            device: cpu, cuda, cuda:1, mps; the first accelerator when left out
            device_map: as accelerate takes it, for a model larger than one device
            revision: a branch, tag or commit of a hub model
        """
        placing = {"device": device, "dtype": dtype, "device_map": device_map}
        self._lifted = lift(source, tokenizer=tokenizer, revision=revision, **placing)
        self.history = History()
        return self

    @verb("open")
    def status(self) -> Status:
        """Show what is on the lift and what is in force."""
        return Status(self.lifted.info, self.spec, self.recipe)

    @verb()
    def parts(self, select: Layers | None = None) -> Parts:
        """List the parts that can be read and changed.

        Args:
            select: which: attention_*, 0,3,-1, layer_2; every part when left out
        """
        names = tuple(self.spec.parts) if select is None else tuple(self.spec.select(select))
        return Parts(self.spec, names, frozenset(self.recipe.places(self.spec)))

    @verb()
    def report(self) -> Report:
        """Show what was proved of every block, and what is n/a and why."""
        return self.spec.report()

    @verb("analyze")
    def capture(self, prompt: Prompt, *, layers: Layers = "all", keep: bool = False, tau: float = TAU) -> Snapshots:
        """Read parts in one pass: a table of statistics.

        Args:
            prompt: the text the model reads
            layers: which parts: 0,3,-1 or attention_* or ffn_2.neurons; every layer when left out
            keep: keep the hidden states too
            tau: the sparsity threshold, in standard deviations
        """
        camera = SnapshotCapture(self.model, self.tokenizer)
        return camera.run(prompt, layers, under=self.recipe.taps(self.spec), keep=keep, tau=tau)

    @verb()
    def plot(
        self,
        prompt: Prompt,
        *,
        statistic: str = "sparsity",
        layers: Layers = "all",
        tau: float = TAU,
        save: str | None = None,
    ) -> Plot:
        """Draw one statistic along the parts; with edits in force, the untouched model beside it.

        Args:
            prompt: the text the model reads
            statistic: mean, std, norm, sparsity, entropy, kurtosis, effective_dimension …
            layers: which parts, as for capture
            tau: the sparsity threshold, in standard deviations
            save: a png, svg or pdf file to write the picture to
        """
        from .snapshot.drawing import draw

        camera = SnapshotCapture(self.model, self.tokenizer)
        untouched = camera.run(prompt, layers, tau=tau)
        tuned = self.capture(prompt, layers=layers, tau=tau) if len(self.recipe) else None
        picture = draw(untouched, statistic, tuned)
        if save is not None:
            picture.save(save)
        return picture

    @verb(session=True)
    def scale(self, part: Layers, factor: float) -> InForce:
        """Multiply what leaves a part.

        Args:
            part: one or several: layer_3, attention_2.head_1, attention_*
            factor: 0 takes the part away, 1 leaves it
        """
        return self._put([Scale(name, factor) for name in self.spec.usable(part)])

    @verb(session=True)
    def add(self, part: Layers, value: Any) -> InForce:
        """Add a number or a direction to what leaves a part.

        Args:
            part: one or several, as for scale
            value: a number, or @direction for a tensor of the part's width
        """
        return self._put([Add(name, number_or_direction(value)) for name in self.spec.usable(part)])

    @verb(session=True)
    def noise(self, part: Layers, std: float = 0.1, *, seed: int = 0) -> InForce:
        """Add seeded normal noise to what leaves a part.

        Args:
            part: one or several, as for scale
            std: as a share of the standard deviation of the hidden states there
            seed: the same seed draws the same noise
        """
        return self._put([Noise(name, std, seed) for name in self.spec.usable(part)])

    @verb(session=True)
    def through(self, part: Layers, module: Any) -> InForce:
        """Pass what leaves a part through a module or function of your own.

        Args:
            part: one or several, as for scale
            module: @module, a torch module or a function from a tensor to one of the same shape
        """
        return self._put([Through(name, module) for name in self.spec.usable(part)])

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
        if len(self.recipe):
            self.history = self.history.to(Recipe())
        return InForce(self.history)

    @verb()
    def generate(self, prompt: str, *, tokens: int = 20, temperature: float = 0.0, seed: int = 0) -> Generation:
        """Let the model go on; with edits in force, beside what it says untouched.

        Args:
            prompt: the text to go on from
            tokens: how many new tokens at most
            temperature: 0 takes the likeliest token each time; above 0 draws, by the seed
            seed: for drawing; torch's own random numbers stay as they are
        """
        return go_on(self.lifted, prompt, self.recipe, Sampling(tokens, temperature, seed))

    @verb(model=False)
    def compare(self, a: Any = None, b: Any = None, *, prompt: str | None = None) -> Comparison | Compatibility:
        """Compare two models part by part; with a prompt, what they say next. Alone, the tuned with the untouched.

        Args:
            a: a model as load takes it, compared with b; the one on the lift is compared with it when b is left out
            b: a second model
            prompt: compare the next token this text leads to
        """
        if a is None and prompt is None:
            raise InputError("There is nothing to compare with.", 'Name a second model, or give --prompt "…".')
        if a is not None and b is None and not self.loaded:
            raise InputError("One model alone cannot be compared.", "Name a second one, or put one on the lift first.")
        if a is None:
            return tuned_and_untouched(self.lifted, str(prompt), self.recipe)
        mine, recipe = (self.lifted, self.recipe) if b is None else (lift(a), Recipe())
        guest = lift(a if b is None else b)
        return compare(mine.spec, guest.spec) if prompt is None else two_models(mine, guest, prompt, recipe)

    @verb()
    def extract(self, component: str, *, layer: int | None = None) -> ExtractedPart:
        """Take a copy of a part out, to run on hidden states alone.

        Args:
            component: a full name (attention_3), or a type with its layer (self_attention, ffn, layer, lm_head …)
            layer: which layer, when the type alone does not say
        """
        return PyTorchExtractor(self.model).extract_component(component, layer)

    @verb()
    def verify(self) -> Verification:
        """Prove that the model is as it came, bit for bit."""
        return verify(self.lifted)

    @verb(model=False)
    def registry(self, action: Literal["list", "add"] = "list", model: str | None = None) -> Registered:
        """List the models whose parts are catalogued on this machine, or add one.

        Args:
            action: list or add
            model: which one to add, as load takes it; the one on the lift when left out
        """
        registry = ModelRegistry()
        if action == "add":
            owner = self.lifted if model is None else lift(model)
            registry.register(owner.spec.model_id, owner.model, owner.tokenizer)
        return Registered(tuple(registry.get_spec(name) for name in registry.list_models()))

    @verb(model=False)
    def help(self, verb: str = "") -> Manual:
        """Show every verb, or one of them with its arguments.

        Args:
            verb: the verb to explain
        """
        verbs = verbs_of(Garage)
        return Manual(verbs, find(verbs, verb).name if verb else "")

    @contextmanager
    def in_force(self) -> Iterator[LayerInjector]:
        """The recipe in force for your own calls of the model: `with garage.in_force(): model(**inputs)`."""
        with LayerInjector(self.model) as injector:
            for edit in self.recipe:
                injector.add(edit)
            yield injector

    def _put(self, edits: list[Edit]) -> InForce:
        """Several places chosen at once are one step for undo."""
        recipe = Recipe((*self.recipe.edits, *edits))
        recipe.taps(self.spec)  # a place that cannot be edited is refused here, with nothing changed
        self.history = self.history.to(recipe)
        return InForce(self.history)

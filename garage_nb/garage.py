"""Garage: a model on the lift, the recipe in force, and every verb. What one can do here is what one can do.

A verb answers with a value and prints nothing. `%garage capture "Hi" --layers 0,-1` is
`garage.capture("Hi", layers="0,-1")`; the command line says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

from .answers.brought import amounts, brought
from .answers.comparison import Comparison, tuned_and_untouched, two_models
from .answers.edits import InForce
from .answers.generation import Generation, Sampling, go_on, pieces
from .answers.manual import Manual
from .answers.registered import Registered
from .answers.status import Parts, Status
from .answers.sweep import Sweep, sweep
from .answers.verification import Verification, verify
from .core.batch import Prompt
from .core.numbers import Numbers, numbers
from .core.stats import TAU
from .core.tokens import Tokens
from .errors import GarageError, InputError
from .extract.part import ExtractedPart
from .extract.pytorch import PyTorchExtractor
from .inject.ablate import Ablate
from .inject.edit import Edit
from .inject.edits import Add, Noise, Scale, Steer, Through, number_or_direction
from .inject.layer import LayerInjector
from .inject.mask import Mask
from .inject.patch import Patch
from .inject.recipe import History, Recipe
from .inject.router import RouterBias
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
    def scale(self, part: Layers, factor: float, *, tokens: str = "all") -> InForce:
        """Multiply what leaves a part.

        Args:
            part: one or several: layer_3, attention_2.head_1, attention_*
            factor: 0 takes the part away, 1 leaves it
            tokens: which are touched: all, prompt, generated, not_first, or positions 0,-1,2:6
        """
        return self._put(Scale(name, factor, tokens=Tokens(str(tokens))) for name in self.spec.usable(part))

    @verb(session=True)
    def add(self, part: Layers, value: Any, *, tokens: str = "all") -> InForce:
        """Add a number or a direction to what leaves a part.

        Args:
            part: one or several, as for scale
            value: a number, or @direction for a tensor of the part's width
            tokens: which are touched, as for scale
        """
        amount = number_or_direction(value)
        return self._put(Add(name, amount, tokens=Tokens(str(tokens))) for name in self.spec.usable(part))

    @verb(session=True)
    def steer(self, part: Layers, direction: Any, strength: float = 1.0, *, tokens: str = "all") -> InForce:
        """Add a direction, so many times, to what leaves a part.

        Args:
            part: one or several, as for scale
            direction: @direction, a tensor of the part's width, taken as long as it is
            strength: how many times; below 0 the other way
            tokens: which are touched, as for scale
        """
        touched = Tokens(str(tokens))
        return self._put(Steer(name, direction, strength, tokens=touched) for name in self.spec.usable(part))

    @verb(session=True)
    def noise(self, part: Layers, std: float = 0.1, *, seed: int = 0, tokens: str = "all") -> InForce:
        """Add seeded normal noise to what leaves a part.

        Args:
            part: one or several, as for scale
            std: as a share of the standard deviation of the hidden states there
            seed: the same seed draws the same noise
            tokens: which are touched, as for scale
        """
        return self._put(Noise(name, std, seed, tokens=Tokens(str(tokens))) for name in self.spec.usable(part))

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
        touched, rows = Tokens(str(tokens)), partial(brought, self.lifted, reference)
        return self._put(Ablate(name, how, rows(name), seed, tokens=touched) for name in self.spec.usable(part))

    @verb(session=True)
    def patch(self, part: Layers, source: Any, *, positions: str = "all", tokens: str = "prompt") -> InForce:
        """Put what leaves a part under another prompt in place of what leaves it under this one.

        Args:
            part: one or several, as for scale
            source: another text, @snapshots of a capture that kept, or @rows for one part
            positions: which tokens of the source, as tokens says here; one of them, or as many as are touched
            tokens: which are touched: prompt, or positions 0,-1,2:6
        """
        touched, rows = Tokens(str(tokens)), partial(brought, self.lifted, source)
        return self._put(Patch(name, rows(name), positions, tokens=touched) for name in self.spec.usable(part))

    @verb(session=True)
    def mask(self, part: Layers, *, keep: Any = None, drop: Any = None, tokens: str = "all") -> InForce:
        """Take several heads or neurons of a part away at once.

        Args:
            part: one or several: attention_3, ffn_*
            keep: all but these go: 0,3,-1 or 4:8
            drop: these go
            tokens: which are touched, as for scale
        """
        touched = Tokens(str(tokens))
        return self._put(Mask(name, keep, drop, tokens=touched) for name in self.spec.usable(part))

    @verb(session=True)
    def bias(self, part: Layers, amount: Any, *, expert: str | None = None, tokens: str = "all") -> InForce:
        """Make experts likelier or less likely before a router chooses.

        Args:
            part: one or several routers: gate_3, gate_*
            amount: added to the logits of the experts named, or @amounts, one number an expert
            expert: which: 2, or 0,3,-1
            tokens: which are touched, as for scale
        """
        touched = Tokens(str(tokens))
        return self._put(
            RouterBias(name, amounts(self.spec, name, amount, expert), tokens=touched)
            for name in self.spec.usable(part)
        )

    @verb(session=True)
    def through(self, part: Layers, module: Any, *, tokens: str = "all") -> InForce:
        """Pass what leaves a part through a module or function of your own.

        Args:
            part: one or several, as for scale
            module: @module, a torch module or a function from a tensor to one of the same shape
            tokens: which are touched, as for scale
        """
        return self._put(Through(name, module, tokens=Tokens(str(tokens))) for name in self.spec.usable(part))

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
    def generate(
        self,
        prompt: str,
        *,
        tokens: int = 20,
        temperature: float = 0.0,
        seed: int = 0,
        layers: Layers | None = None,
    ) -> Generation:
        """Let the model go on; with edits in force, beside what it says untouched.

        Args:
            prompt: the text to go on from
            tokens: how many new tokens at most
            temperature: 0 takes the likeliest token each time; above 0 draws, by the seed
            seed: for drawing; torch's own random numbers stay as they are
            layers: read these parts at every step, as for capture; they are in the answer's .steps
        """
        parts = () if layers is None else self.spec.usable(layers)
        return go_on(self.lifted, prompt, self.recipe, Sampling(tokens, temperature, seed), parts)

    def stream(self, prompt: str, *, tokens: int = 20, temperature: float = 0.0, seed: int = 0) -> Iterator[str]:
        """The continuation under the recipe in force, piece by piece as it is written: `for piece in g.stream(…)`."""
        return pieces(self.lifted, prompt, self.recipe, Sampling(tokens, temperature, seed))

    @verb()
    def sweep(
        self,
        prompt: str,
        *,
        parts: Layers = "layer_*",
        factors: Numbers = "0:2:0.25",
        tokens: str = "all",
        target: str | None = None,
    ) -> Sweep:
        """Scale many parts by many factors and show where the next token goes, all in a few passes.

        Args:
            prompt: the text that leads to the next token
            parts: which parts, each for itself: layer_*, attention_*, attention_3.head_0,attention_3.head_1
            factors: numbers 0,0.5,2 or a range start:stop:step, stop included
            tokens: which tokens are touched: all, prompt, not_first, 0,-1, or each for one after the other
            target: whose probability is followed; the untouched model's likeliest when left out
        """
        names = self.spec.usable(parts)
        return sweep(self.lifted, prompt, self.recipe, names, numbers(factors), tokens, target)

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

    def _put(self, edits: Iterable[Edit]) -> InForce:
        """Several places chosen at once are one step for undo."""
        recipe = Recipe((*self.recipe.edits, *edits))
        recipe.taps(self.spec)  # a place that cannot be edited is refused here, with nothing changed
        self.history = self.history.to(recipe)
        return InForce(self.history)

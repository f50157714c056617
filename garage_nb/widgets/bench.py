"""TuningBench: a fader for every part, and what the model says next while it moves."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import traitlets

from ..answers.comparison import tuned_and_untouched
from ..answers.generation import Sampling, go_on
from ..answers.recipe import Written
from ..core.cancel import cancel_in_force
from ..core.memory import Memory
from ..errors import InputError
from ..garage import Garage
from ..inject.desk import Desk
from ..inject.recipe import Recipe
from ..verbs import verbs_of
from ..view.bars import Column, Table
from ..view.markup import page
from .admission import command
from .assets import script, sheet
from .faders import Factors, Faders, Move
from .live import Answer
from .parts import Names, Parts
from .reading import NOTHING, Reading
from .readout import chips, next_tokens, texts
from .traits import Count

STILL = 0.15  # seconds that a hand must rest before the continuation is worth a run
FILE = re.compile(r"\w[\w .-]*\.json")


class TuningBench(Reading):
    """`bench = TuningBench(garage, "The capital of France is", "layer_*")`; `bench.recipe` is what it makes.

    It starts from the garage's recipe in force and follows that as long as the two are the same; `apply` puts its own
    in force. `parts` takes any selector; `factors`, `bypassed`, `soloed`, `prompt` and `tokens` (of the continuation;
    0 for none) can be set, observed and linked. `comparison` and `generation` are the last answers.
    """

    _esm = script("tokens.js", "desk.js", "bench.js")
    _css = sheet("tokens.css", "bench.css")
    _edits: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _next: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _texts: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _move = Move().tag(sync=True, front=True)
    _taken = traitlets.Any((0, {})).tag(sync=True)  # the last move taken, so that the page knows which still wait
    tokens = Count(20, least=0, most=500).tag(sync=True, front=True)
    parts = Faders().tag(sync=True, front=True)
    factors = Factors().tag(sync=True, front=True)
    bypassed = Parts().tag(sync=True, front=True)
    soloed = Parts().tag(sync=True, front=True)
    comparison = traitlets.Any(None, read_only=True)
    generation = traitlets.Any(None, read_only=True)
    multiple = True  # of Faders
    desk = traitlets.Any(read_only=True)

    def __init__(
        self, garage: Garage, prompt: str = "", parts: Names = None, *, tokens: int = 20, **options: Any
    ) -> None:
        self._memory = Memory()
        super().__init__(garage, prompt, options=options, tokens=tokens)
        self.parts = self.recipe.places(self.spec) if parts is None else parts
        self.observe(self._moved, ["factors", "_move", "bypassed", "soloed"])
        self.observe(self._laid_out, "parts")
        self.observe(self._prompted, "tokens")
        self._put(self.desk)

    @traitlets.default("desk")
    def _opened(self) -> Desk:
        return Desk(self.spec, self.garage.history)

    @property
    def recipe(self) -> Recipe:
        """What is heard: the draft without what is bypassed, or with what is soloed alone."""
        heard: Recipe = self.desk.heard
        return heard

    @property
    def written(self) -> Written:
        """The recipe as lines of Python and of the %garage language."""
        return Written(self.recipe, verbs_of(Garage))

    @command
    def undo(self) -> None:
        self._put(self.desk.undo())

    @command
    def redo(self) -> None:
        self._put(self.desk.redo())

    @command
    def reset(self) -> None:
        """Take every edit of the draft back, as one step."""
        self._put(self.desk.to(Recipe()))

    @command
    def drop(self, edit: int) -> None:
        """Take one edit of the draft out, counted from 0."""
        if isinstance(edit, bool) or not isinstance(edit, int):
            raise InputError(f"{str(edit)[:40]!r} is no number of an edit.", "They are counted from 0.")
        self._put(self.desk.dropped(edit))

    @command
    def add(self, selector: str) -> None:
        """Faders for more parts: any selector."""
        self.parts = (*self.parts, *self.spec.usable(selector))

    @command
    def apply(self) -> None:
        """Put the recipe in force: from now on every verb of the garage runs with it."""
        self.garage.apply(self.recipe)

    @command
    def keep(self, file: str) -> None:
        """Save the recipe under a plain name beside the notebook. From Python, `save` takes any path."""
        if not isinstance(file, str) or not FILE.fullmatch(file):
            raise InputError(f"{str(file)[:60]!r} is no plain file name.", "Name it like tuned.json.")
        self.save(file)

    def save(self, file: str | Path) -> Path:
        saved = self.recipe.save(file)
        self._progress = f"Saved to {saved}."
        return saved

    def pieces(self, garage: Garage, *, following: bool) -> Generator[Answer, None, None]:
        """The next token first, which a hand can wait for; then the continuation."""
        prompt, recipe, tokens = self.prompt, self.recipe, self.tokens
        found = tuned_and_untouched(garage.lifted, prompt, recipe, self._memory)
        yield {"comparison": found, "_next": next_tokens(found)}
        cancel = cancel_in_force()
        if following and cancel is not None:
            cancel.rest(STILL)
        if tokens:
            said = go_on(garage.lifted, prompt, recipe, Sampling(tokens), memory=self._memory)
            yield {"generation": said, "_texts": texts(said)}

    def _moved(self, change: Any) -> None:
        number, factors = self._move if change["name"] == "_move" else (None, self.factors)
        desk = self.desk.monitored(bypassed=self.bypassed, soloed=self.soloed)
        for part, factor in factors.items():
            desk = desk.turned(part, factor, number)
        if desk != self.desk:
            self._put(desk)
        if number is not None:
            self._taken = self._move

    def _laid_out(self, change: Any) -> None:
        self._put(self.desk)

    def _follow(self) -> None:
        """The recipe in force has changed: taken over where the bench's own was the one before."""
        garage = self.home
        if self.comm is not None and garage is not None and garage.loaded and garage.model is self.target:
            follows = self._edits.get("applied") and self.recipe != garage.edits
            self._put(replace(self.desk, history=garage.history, gesture=None) if follows else self.desk)

    def _put(self, desk: Desk) -> None:
        """Show a desk, and ask what the model says under it if that is another question."""
        with self._turn, self.hold_sync():
            before = self.recipe
            self.set_trait("desk", desk)
            self.factors = {part: desk.factor(part) for part in self.parts}
            self._changes = len(self.garage.edits)
            self._edits = {
                "edits": chips(desk),
                "undo": bool(desk.history.past),
                "redo": bool(desk.history.future),
                "applied": desk.heard == self.garage.edits,
                "python": self.written.python,
                "magic": self.written.magic,
            }
        if desk.heard != before:
            self._read(following=True)

    def _summary(self) -> str:
        return f"{self.spec.model_id}, {self.recipe}"

    def _picture(self) -> str:
        answers = [one.picture().html() for one in (self.comparison, self.generation) if one is not None]
        changed = frozenset(part for part, factor in self.factors.items() if factor != 1)
        faders = Table(self.parts, [Column("factor", list(self.factors.values()))], changed=changed)
        recipe = self.written.picture().html() if len(self.recipe) else ""
        return page("".join([faders.html(), recipe, *(answers or [NOTHING.html()])]))

"""Asking: what the model says, tuned beside untouched."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from ..answers.comparison import Comparison, tuned_and_untouched, two_models
from ..answers.generation import Generation, Sampling, go_on, pieces, writes
from ..answers.recording import Recording
from ..answers.sweep import Sweep, sweep
from ..core.numbers import Numbers, numbers
from ..errors import InputError
from ..inject.recipe import Recipe
from ..registry.compare import Compatibility, compare
from ..registry.lift import lift
from ..snapshot.trace import Trace
from ..verbs import verb
from .session import Layers, Session


class Asking(Session):
    @verb()
    def generate(
        self,
        prompt: str,
        *,
        tokens: int | None = None,
        temperature: float = 0.0,
        seed: int = 0,
        layers: Layers | None = None,
    ) -> Generation:
        """Let the model go on; with edits in force, beside what it says untouched.

        Args:
            prompt: the text to go on from
            tokens: how many new tokens at most; 20 unless config says otherwise
            temperature: 0 takes the likeliest token each time; above 0 draws, by the seed
            seed: for drawing; torch's own random numbers stay as they are
            layers: read these parts at every step, as for capture; they are in the answer's .steps
        """
        parts = () if layers is None else self.spec.usable(layers)
        return go_on(self.lifted, prompt, self.edits, self._sampling(tokens, temperature, seed), parts)

    def stream(
        self, prompt: str, *, tokens: int | None = None, temperature: float = 0.0, seed: int = 0
    ) -> Iterator[str]:
        """The continuation under the recipe in force, piece by piece as it is written: `for piece in g.stream(…)`."""
        return pieces(self.lifted, prompt, self.edits, self._sampling(tokens, temperature, seed))

    @verb()
    def watch(
        self,
        prompt: str,
        *,
        tokens: int | None = None,
        layers: Layers = "all",
        statistic: str = "sparsity",
        tau: float | None = None,
    ) -> Trace:
        """Read parts at every token while the model reads the prompt and goes on: layers by tokens.

        Args:
            prompt: the text to read and go on from
            tokens: how many new tokens at most, 0 for the prompt alone; 20 unless config says otherwise
            layers: which parts, as for capture
            statistic: what is shown: sparsity, entropy, norm, mean, std …; the answer holds them all
            tau: the sparsity threshold, in a token's standard deviations; 0.1 unless config says otherwise
        """
        threshold = self.settings.tau if tau is None else tau
        parts = self.spec.usable(layers)
        recording = Recording(self.lifted, prompt, self.edits, parts, statistic=statistic, taus=[threshold])
        usual = self.settings.tokens if writes(self.lifted) else 0
        deque(recording.on(self.lifted, usual if tokens is None else tokens), maxlen=0)
        return recording.trace

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
        return sweep(self.lifted, prompt, self.edits, names, numbers(factors), tokens, target)

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
            return tuned_and_untouched(self.lifted, str(prompt), self.edits)
        mine, recipe = (self.lifted, self.edits) if b is None else (lift(a), Recipe())
        guest = lift(a if b is None else b)
        return compare(mine.spec, guest.spec) if prompt is None else two_models(mine, guest, prompt, recipe)

    def _sampling(self, tokens: int | None, temperature: float, seed: int) -> Sampling:
        return Sampling(self.settings.tokens if tokens is None else tokens, temperature, seed)

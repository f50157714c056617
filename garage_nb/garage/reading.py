"""Reading: what the model is made of, and what passes through it."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..analyze.attention.attention import Attention, attention
from ..analyze.lens.answer import Lens
from ..analyze.lens.lens import lens
from ..answers.status import Parts
from ..core.batch import Prompt
from ..registry.report import Report
from ..snapshot.capture import SnapshotCapture
from ..snapshot.snapshots import Snapshots
from ..verbs import verb
from ..view.figure import Plot
from .session import Layers, Session


class Reading(Session):
    @verb()
    def parts(self, select: Layers | None = None) -> Parts:
        """List the parts that can be read and changed.

        Args:
            select: which: attention_*, 0,3,-1, layer_2; every part when left out
        """
        names = tuple(self.spec.parts) if select is None else tuple(self.spec.select(select))
        return Parts(self.spec, names, frozenset(self.edits.places(self.spec)))

    @verb()
    def report(self) -> Report:
        """Show what was proved of every block, and what is n/a and why."""
        return self.spec.report()

    @verb("analyze")
    def capture(
        self, prompt: Prompt, *, layers: Layers = "all", keep: bool = False, tau: float | None = None
    ) -> Snapshots:
        """Read parts in one pass: a table of statistics.

        Args:
            prompt: the text the model reads
            layers: which parts: 0,3,-1 or attention_* or ffn_2.neurons; every layer when left out
            keep: keep the hidden states too
            tau: the sparsity threshold, in standard deviations; 0.1 unless config says otherwise
        """
        camera = SnapshotCapture(self.model, self.tokenizer)
        return camera.run(prompt, layers, under=self.edits.taps(self.spec), keep=keep, tau=self._tau(tau))

    @verb()
    def attention(self, prompt: Prompt, *, layers: Layers = "attention_*") -> Attention:
        """Show what every token looks at, head by head.

        Args:
            prompt: the text the model reads
            layers: which parts: attention_*, attention_3, 0,-1, cross_attention_*
        """
        return attention(self.lifted, prompt, self.edits.taps(self.spec), layers)

    @verb()
    def lens(
        self,
        prompt: Prompt,
        *,
        layers: Layers = "layer_*",
        top: int = 5,
        target: str | None = None,
        tuned: Any = None,
    ) -> Lens:
        """Show what the model would say if it stopped after each layer.

        Args:
            prompt: the text the model reads
            layers: which: layer_*, 0,-1, layer_0.before, layer_3.mid
            top: how many of the likeliest tokens are kept at each place
            target: a token to follow through the layers; the model's own answer when left out
            tuned: @texts to fit each layer's map to the last on, or the .translators of a lens; none when left out
        """
        edits = self.edits.taps(self.spec)
        return lens(self.lifted, prompt, edits, layers, top=top, target=target, tuned=tuned)

    @verb()
    def plot(
        self,
        prompt: Prompt,
        *,
        statistic: str = "sparsity",
        layers: Layers = "all",
        tau: float | None = None,
        save: str | None = None,
    ) -> Plot:
        """Draw one statistic along the parts; with edits in force, the untouched model beside it.

        Args:
            prompt: the text the model reads
            statistic: mean, std, norm, sparsity, entropy, kurtosis, effective_dimension …
            layers: which parts, as for capture
            tau: the sparsity threshold, in standard deviations; 0.1 unless config says otherwise
            save: a png, svg or pdf file to write the picture to
        """
        from ..snapshot.drawing import draw

        camera = SnapshotCapture(self.model, self.tokenizer)
        seen = partial(camera.run, prompt, layers, tau=self._tau(tau), statistics=statistic)
        tuned = seen(under=self.edits.taps(self.spec)) if len(self.edits) else None
        picture = draw(seen(), statistic, tuned)
        if save is not None:
            picture.save(save)
        return picture

    def _tau(self, given: float | None) -> float:
        return self.settings.tau if given is None else given

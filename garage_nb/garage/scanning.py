"""Scanning: the diagnostic scanner's questions."""

from __future__ import annotations

from typing import Any, Literal

from ..analyze.attention.heads import Heads, heads
from ..analyze.attribution.attribution import Attribution, attribution
from ..analyze.neurons.answer import Neurons
from ..analyze.neurons.neurons import neurons
from ..analyze.scan.answer import Scan
from ..analyze.scan.rules import Limits
from ..analyze.scan.scan import scan
from ..analyze.similarity.resemblance import Resemblance, resemblance
from ..analyze.similarity.similarity import Similarity, similarity
from ..analyze.sparsity.threshold_curves import ThresholdCurves
from ..analyze.sparsity.thresholds import thresholds
from ..analyze.weights.weights import Weights, weights
from ..core.batch import Prompt
from ..core.numbers import Numbers, numbers
from ..errors import InputError
from ..verbs import verb
from .session import Layers, Session
from .showroom_texts import showroom_texts

THINNED_TEXTS = 8  # of each domain, to run some thirty times each


class Scanning(Session):
    @verb()
    def scan(
        self,
        prompts: Any = None,
        *,
        layers: Layers | None = None,
        other: Any = None,
        tau: float | None = None,
        outlier: float = 6.0,
        firing: float = 1.0,
        rare: float = 0.01,
        sink: float = 0.4,
        growth: float = 4.0,
    ) -> Scan:
        """Show layer by layer what passes the model, and flag what is out of the ordinary.

        Args:
            prompts: a text, @texts, or @domains, a dict from name to texts; the showroom's own texts when left out
            layers: which places: layer_*, ffn_*.neurons, 0,-1; all of every layer when left out
            other: a second model, as load takes it, that reads the same prompts
            tau: the sparsity threshold, in standard deviations of a token; 0.1 unless config says otherwise
            outlier: from how many times the rms of the median dimension on one is flagged
            firing: a neuron fires above so many times the root mean square of its layer at the token
            rare: the rate that a neuron which never fires must be below, at 95 %, to be flagged as dead
            sink: share of attention to the first token from which a head is flagged
            growth: how many times the norm grows from one place of the stream to the next to be flagged
        """
        texts = [text for each in showroom_texts().values() for text in each] if prompts is None else prompts
        near = self.settings.tau if tau is None else tau
        limits = Limits(outlier=outlier, firing=firing, rare=rare, sink=sink, growth=growth)
        return scan(self.lifted, texts, self.edits.taps(self.spec), layers, other=other, tau=near, limits=limits)

    @verb()
    def attribution(
        self,
        prompt: Prompt,
        *,
        target: str | None = None,
        foil: str | None = None,
        position: int = -1,
        by: Literal["halves", "heads", "neurons"] = "halves",
    ) -> Attribution:
        """Show what every part adds to a logit directly; the contributions sum to it.

        Args:
            prompt: the text the model reads
            target: the token whose logit it is; the likeliest when left out
            foil: a token whose logit is taken off it
            position: which token of the prompt the answer stands at
            by: halves of blocks, or their heads or neurons one by one
        """
        edits = self.edits.taps(self.spec)
        return attribution(self.lifted, prompt, edits, target=target, foil=foil, position=position, by=by)

    @verb()
    def heads(
        self,
        prompt: Prompt | None = None,
        *,
        layers: Layers = "attention_*",
        threshold: float = 0.4,
        length: int = 20,
        seed: int = 0,
    ) -> Heads:
        """Show which heads look at the token before, at equal tokens, behind them, or at the first.

        Args:
            prompt: a text, or @texts; random tokens said twice when left out
            layers: which parts: attention_*, attention_3, 0,-1
            threshold: share of attention from which a head is called by a kind
            length: how many random tokens are said twice
            seed: for drawing them
        """
        edits = self.edits.taps(self.spec)
        return heads(self.lifted, prompt, edits, layers, threshold=threshold, length=length, seed=seed)

    @verb()
    def neurons(
        self,
        prompts: Any = None,
        *,
        layers: Layers = "ffn_*",
        threshold: float = 1.0,
        relabellings: int = 200,
        seed: int = 0,
    ) -> Neurons:
        """Show how often neurons fire, which are dead or always on, and which prefer a domain.

        Args:
            prompts: a text, @texts, or @domains, a dict from name to texts; the showroom's own domains when left out
            layers: which parts: ffn_*, ffn_3, 0,-1
            threshold: a neuron fires above so many times the root mean square of its layer at the token
            relabellings: how often the prompts change their domains at random, to tell preference from chance
            seed: for drawing them
        """
        texts = showroom_texts() if prompts is None else prompts
        edits = self.edits.taps(self.spec)
        return neurons(self.lifted, texts, edits, layers, threshold=threshold, relabellings=relabellings, seed=seed)

    @verb()
    def similarity(
        self, prompt: Prompt, *, layers: Layers = "layer_*", other: Any = None, against: Prompt | None = None
    ) -> Similarity | Resemblance:
        """Show how alike layers are, of this model or with another's; or two prompts, token by token.

        Args:
            prompt: a text, or @texts
            layers: which places: layer_*, layer_0.before,layer_*, attention_*
            other: a second model, as load takes it, that reads the same tokens
            against: a second prompt of as many tokens, compared at every layer
        """
        edits = self.edits.taps(self.spec)
        if against is None:
            return similarity(self.lifted, prompt, edits, layers, other=other)
        if other is not None:
            raise InputError("Two prompts and two models cannot be compared at once.", "Leave other or against out.")
        return resemblance(self.lifted, prompt, against, edits, layers)

    @verb()
    def thresholds(
        self,
        prompts: Any = None,
        *,
        layers: Layers = "ffn_*.neurons",
        shares: Numbers = "0:0.9:0.1",
        calibration: Any = None,
        by: Literal["together", "each"] = "together",
        control: Literal["all", "random", "contextual", "none"] = "all",
        seed: int = 0,
    ) -> ThresholdCurves:
        """Show how the loss rises as small activations are zeroed, more and more of them, beside controls.

        Args:
            prompts: @texts to try it on; the showroom's held-out ones when left out
            layers: which places, each with a level of its own: ffn_*.neurons, attention_*, ffn_3.neurons
            shares: of the activations, to be zeroed: 0,0.5 or start:stop:step, from 0 up to below 1
            calibration: other @texts that the levels are read off; every other prompt when left out
            by: all places together, or each for itself
            control: random zeroes as many by chance, contextual the smallest of each token; all, or none
            seed: for chance, and for the interval
        """
        alone = prompts is None and calibration is None
        told = showroom_texts("train", THINNED_TEXTS) if alone else calibration
        texts = showroom_texts("test", THINNED_TEXTS) if prompts is None else prompts
        asked: dict[str, Any] = {"calibration": told, "by": by, "control": control, "seed": seed}
        return thresholds(self.lifted, texts, self.edits, layers, numbers(shares), **asked)

    @verb()
    def weights(self, *, layers: Layers | None = None, tau: float | None = None) -> Weights:
        """Show norms, singular values, ranks and sparsity of weights as they are stored, without running the model.

        Args:
            layers: which parts: attention_*, ffn_3, 0,-1; every part when left out
            tau: the sparsity threshold, in standard deviations of a weight; 0.1 unless config says otherwise
        """
        return weights(self.lifted, layers, self.settings.tau if tau is None else tau)

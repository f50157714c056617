"""Scanning: the diagnostic scanner's questions."""

from __future__ import annotations

from typing import Any, Literal

from ..analyze.attribution import Attribution, attribution
from ..analyze.heads import Heads, heads
from ..analyze.neurons import Neurons, neurons
from ..analyze.resemblance import Resemblance, resemblance
from ..analyze.similarity import Similarity, similarity
from ..analyze.weights import Weights, weights
from ..core.batch import Prompt
from ..errors import InputError
from ..showroom import corpus
from ..showroom.domains import DOMAINS
from ..verbs import verb
from .session import Layers, Session

SHOWROOM_TEXTS = 25  # of each domain


class Scanning(Session):
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
        texts = _showroom_texts() if prompts is None else prompts
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
    def weights(self, *, layers: Layers | None = None, tau: float | None = None) -> Weights:
        """Show norms, singular values, ranks and sparsity of weights as they are stored, without running the model.

        Args:
            layers: which parts: attention_*, ffn_3, 0,-1; every part when left out
            tau: the sparsity threshold, in standard deviations of a weight; 0.1 unless config says otherwise
        """
        return weights(self.lifted, layers, self.settings.tau if tau is None else tau)


def _showroom_texts() -> dict[str, list[str]]:
    """Held-out texts of every domain."""
    return {domain: [item.text for item in corpus.items(domain, n=SHOWROOM_TEXTS)] for domain in DOMAINS}

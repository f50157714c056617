"""Causal: which places make the answer, told by changing one after the other."""

from __future__ import annotations

from typing import Any, Literal

from ..analyze.causal.ablation import AblationScan, ablation
from ..analyze.causal.patch_grid import PatchGrid
from ..analyze.causal.patching import patching
from ..analyze.causal.path import path
from ..analyze.causal.robustness import Robustness, robustness
from ..core.batch import Prompt
from ..core.numbers import Numbers, numbers
from ..verbs import verb
from .session import Layers, Session


class Causal(Session):
    @verb()
    def patching(
        self,
        clean: Prompt,
        corrupt: Prompt,
        *,
        layers: Layers = "layer_*",
        tokens: str = "each",
        metric: Any = "logit_difference",
        target: Any = None,
        foil: Any = None,
        method: Literal["exact", "attribution", "both"] = "exact",
        seed: int = 0,
    ) -> PatchGrid:
        """Show at which places the state of one prompt, put into the run of another, brings its answer back.

        Args:
            clean: the prompt whose answer is to come back, or @texts
            corrupt: another of as many tokens, with another answer; as many as there are clean ones
            layers: which places: layer_*, attention_*,ffn_*, attention_*.head_*, layer_0.before
            tokens: each for one after the other; or which together: all, -1, 2:6
            metric: logit_difference, probability, log_probability, rank, divergence (KL from the clean run), or
                @function from logits (rows, vocab) to one number a row
            target: the token that is followed, or @tokens, one a pair; the clean run's likeliest when left out
            foil: the token it is held against, likewise; the corrupt run's likeliest when left out
            method: exact runs every place, attribution estimates all from one backward pass, both compares the two
            seed: for the intervals over pairs
        """
        asked = {
            "tokens": tokens, "metric": metric, "target": target, "foil": foil, "method": method, "seed": seed
        }  # fmt: skip
        return patching(self.lifted, clean, corrupt, self.edits, layers, **asked)

    @verb()
    def ablation(
        self,
        prompts: Prompt,
        *,
        layers: Layers = "attention_*,ffn_*",
        how: Literal["zero", "mean", "resample"] = "zero",
        reference: Any = None,
        metric: Any = "logit_difference",
        target: Any = None,
        foil: Any = None,
        tokens: str = "all",
        seed: int = 0,
    ) -> AblationScan:
        """Take one part after the other away and show how far the answer moves, with an interval over prompts.

        Args:
            prompts: a text, or @texts
            layers: which parts, each for itself: attention_*,ffn_*, attention_*.head_*
            how: zero, the mean over a reference, or tokens drawn from it (resample)
            reference: other prompts, @texts; the prompts themselves when left out
            metric: as for patching; a divergence is from the untouched run
            target: the token that is followed, or @tokens, one a prompt; each prompt's own likeliest when left out
            foil: the token it is held against, likewise; each prompt's second likeliest when left out
            tokens: which are touched: all, prompt, not_first, or positions 0,-1,2:6
            seed: for drawing tokens, and for the interval
        """
        asked = {"metric": metric, "target": target, "foil": foil, "tokens": tokens, "seed": seed}
        return ablation(self.lifted, prompts, self.edits, layers, how=how, reference=reference, **asked)

    @verb()
    def path(
        self,
        clean: Prompt,
        corrupt: Prompt,
        *,
        senders: Layers = "attention_*",
        receiver: str = "output",
        tokens: str = "all",
        metric: Any = "logit_difference",
        target: Any = None,
        foil: Any = None,
        seed: int = 0,
    ) -> PatchGrid:
        """Show what goes straight from one place to another, with all that lies between them held still.

        Args:
            clean: as for patching
            corrupt: as for patching
            senders: which places, each for itself: attention_*, ffn_0, attention_*.head_*
            receiver: an attention, an ffn or a head that runs after them, or output
            tokens: at which the senders are the clean run's, as for patching
            metric: as for patching
            target: as for patching
            foil: as for patching
            seed: for the intervals over pairs
        """
        asked = {"tokens": tokens, "metric": metric, "target": target, "foil": foil, "seed": seed}
        return path(self.lifted, clean, corrupt, self.edits, senders, receiver, **asked)

    @verb()
    def robustness(
        self,
        prompts: Prompt,
        *,
        layers: Layers = "layer_*",
        stds: Numbers = "0:1:0.25",
        draws: int = 5,
        seed: int = 0,
        metric: Any = "logit_difference",
        target: Any = None,
        foil: Any = None,
    ) -> Robustness:
        """Add noise at one place after the other, louder and louder, and show how far the answer moves.

        Args:
            prompts: a text, or @texts
            layers: which places, each for itself: layer_*, attention_*.head_*
            stds: how loud, in standard deviations of the hidden states there: 0,0.5,2 or start:stop:step
            draws: how many times, by the seeds from the first on
            seed: the first seed
            metric: as for ablation
            target: as for ablation
            foil: as for ablation
        """
        asked = {"draws": draws, "seed": seed, "metric": metric, "target": target, "foil": foil}
        return robustness(self.lifted, prompts, self.edits, layers, numbers(stds), **asked)

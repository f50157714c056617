"""Debating: perspectives of one stream side by side, a gate between them, and what they must beat."""

from __future__ import annotations

from typing import Any, Literal

from ..analyze.debates.debates import Debates
from ..analyze.debates.study import debates
from ..analyze.judging.exercise_file import read_exercises
from ..core.batch import Prompt
from ..errors import InputError
from ..inject.blades.fitting.lessons import Lessons
from ..inject.blades.fitting.training import Training
from ..inject.debating.debated import Debated, debated
from ..inject.debating.debating import Debating as Debate
from ..inject.debating.files import GATES, save_gate
from ..inject.debating.fitted import FittedGate, gate_given
from ..inject.debating.fitting import fit_gate
from ..inject.debating.gate import Gate, demand_fitted_on
from ..verbs import verb
from .session import Session
from .showroom_texts import fitting_texts, showroom_exercises

FEW = 20  # exercises of each domain
MOST = 16  # perspectives: the batch is as many times as large


class Debating(Session):
    @verb()
    def debate(
        self,
        prompt: Prompt,
        *,
        at: str = "layer_0",
        blocks: int | None = None,
        divergence: Literal["dropout", "perturbation", "projection"] = "dropout",
        reconciliation: Literal["average", "confidence", "gated"] = "average",
        strength: float = 0.1,
        perspectives: int = 2,
        seed: int = 0,
        steps: int = 8,
        gate: Any = None,
        insist: bool = False,
    ) -> Debated:
        """Part the stream into disturbed perspectives that run on and are reconciled, and show what each would say.

        Args:
            prompt: the text the model reads
            at: the layer behind which they part
            blocks: how many run before they meet, 0 for none, which is only noise; to the end when left out
            divergence: dropout, perturbation (noise) or projection onto random directions
            reconciliation: the average, confidence (of less entropy, more), or gated
            strength: of the divergence, from 0, which changes nothing, up to below 1
            perspectives: how many
            seed: of the first; each further one has the next
            steps: how many tokens are written
            gate: what fit_gate returned, @gate, or the folder it wrote; gated without one is untrained
            insist: let a gate weigh on other weights than those it was fitted on
        """
        seeds, fitted = _seeds(seed, perspectives), self._gate(gate, insist)
        how = Debate(self.spec.name(at), blocks, divergence, reconciliation, strength, seeds, fitted)
        return debated(self.lifted, prompt, how, self.edits, steps=steps)

    @verb()
    def fit_gate(
        self,
        texts: Any = None,
        *,
        at: str = "layer_0",
        blocks: int | None = None,
        divergence: Literal["dropout", "perturbation", "projection"] = "dropout",
        strength: float = 0.1,
        perspectives: int = 2,
        seed: int = 0,
        steps: int = 100,
        to: str | None = None,
    ) -> FittedGate:
        """Fit the gate of a debate, so that what the perspectives come to predicts texts; the model stays as it is.

        Args:
            texts: @texts; the showroom's training texts when left out
            at: as for debate
            blocks: as for debate
            divergence: as for debate
            strength: as for debate
            perspectives: as for debate
            seed: of the first perspective, and for drawing texts
            steps: of the training, on 8 texts each
            to: a folder to save it in
        """
        folder = None if to is None else GATES.ready(to)
        lessons = Lessons(fitting_texts() if texts is None else _several(texts))
        bare = Debate(self.spec.name(at), blocks, divergence, "gated", strength, _seeds(seed, perspectives))
        fitted = fit_gate(self.lifted, bare, lessons, Training(steps=steps, seed=seed), self.edits)
        assert fitted.gate is not None
        saved = None if folder is None else save_gate(fitted.gate, folder)
        return FittedGate(model_id=self.spec.model_id, debating=fitted, saved=saved)

    @verb()
    def debates(
        self,
        items: Any = None,
        *,
        at: str = "layer_0",
        blocks: int = 1,
        divergence: Literal["dropout", "perturbation", "projection"] = "dropout",
        reconciliation: Literal["average", "confidence", "gated"] = "average",
        strength: float = 0.1,
        perspectives: int = 2,
        draws: int = 3,
        seed: int = 0,
        gate: Any = None,
        insist: bool = False,
    ) -> Debates:
        """Show whether a debate helps: its forms beside one noise as loud, the untouched model, and a vote.

        Args:
            items: a .json or .csv file of prompt, answer and domain, or @items, pairs or dicts; some of the showroom's
                when left out
            at: as for debate
            blocks: how many run between parting and meeting in one arm; none in another, and all in a third
            divergence: as for debate
            reconciliation: as for debate
            strength: as for debate
            perspectives: as for debate
            draws: how often what is left to chance is drawn, each time by other seeds
            seed: of the first perspective, and for the intervals
            gate: one more arm, gated by it: @gate, or its folder
            insist: as for debate
        """
        fitted = self._gate(gate, insist)
        given = showroom_exercises(FEW) if items is None else items
        asked = read_exercises(given) if isinstance(given, str) else given
        seeds = _seeds(seed, perspectives)
        how = Debate(self.spec.name(at), blocks, divergence, reconciliation, strength, seeds)
        return debates(self.lifted, asked, how, self.edits, gate=fitted, draws=draws, seed=seed)

    def _gate(self, given: Any, insist: bool) -> Gate | None:
        gate = gate_given(given)
        if not insist:
            demand_fitted_on(gate, self.lifted)
        return gate


def _seeds(seed: int, perspectives: int) -> tuple[int, ...]:
    if not 2 <= perspectives <= MOST:
        raise InputError(f"{perspectives} perspectives are no debate.", f"Ask for 2 to {MOST}.")
    return tuple(range(seed, seed + perspectives))


def _several(texts: Any) -> tuple[str, ...]:
    several = [texts] if isinstance(texts, str) else texts
    if not isinstance(several, list | tuple) or not all(isinstance(text, str) for text in several):
        raise InputError(f"A {type(texts).__name__} is no list of texts.", "Give a text, or @texts.")
    return tuple(several)

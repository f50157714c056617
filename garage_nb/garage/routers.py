"""Routers: which experts they choose, whether those are the better ones, and choosing for them."""

from __future__ import annotations

from typing import Any, Literal

from ..analyze.judging.exercise_file import read_exercises
from ..analyze.routers.calibrated import Calibration
from ..analyze.routers.calibration import calibration
from ..analyze.routers.reading import routing
from ..analyze.routers.routing import Routing
from ..answers.edits import InForce
from ..core.tokens import Tokens
from ..inject.routing.experts import Experts
from ..inject.routing.isolate import Isolate
from ..inject.routing.reroute import Reroute
from ..verbs import verb
from .editing import Editing
from .session import Layers
from .showroom_texts import showroom_exercises, showroom_texts


class Routers(Editing):
    @verb()
    def routers(
        self, prompts: Any = None, *, layers: Layers = "gate_*", relabellings: int = 200, seed: int = 0
    ) -> Routing:
        """Show which experts routers choose, how surely, and what their choice tells of the domain.

        Args:
            prompts: a text, @texts, or @domains, a dict from name to texts; the showroom's held-out ones when left out
            layers: which routers: gate_*, gate_3
            relabellings: how often the prompts change their domains at random, to tell what is told by chance
            seed: for drawing them, and for the intervals
        """
        texts = showroom_texts() if prompts is None else prompts
        edits = self.edits.taps(self.spec)
        return routing(self.lifted, texts, edits, layers, relabellings=relabellings, seed=seed)

    @verb()
    def calibrate(
        self,
        items: Any = None,
        *,
        layers: Layers = "gate_*",
        sets: int = 64,
        relabellings: int = 2000,
        seed: int = 0,
    ) -> Calibration:
        """Show whether the experts that routers think likely are those that answer better, and what is lost.

        Args:
            items: a .json or .csv file of prompt, answer and domain, or @items, pairs or dicts; the showroom's when
                left out
            layers: which routers: gate_*, gate_3
            sets: of experts that answer together, how many are tried of a router at most
            relabellings: how often qualities are dealt out at random, to tell agreement from chance
            seed: for drawing sets of experts, for chance, and for the intervals
        """
        given = showroom_exercises() if items is None else items
        asked = read_exercises(given) if isinstance(given, str) else given
        counts = {"most_sets": sets, "relabellings": relabellings}
        return calibration(self.lifted, asked, self.edits, layers, **counts, seed=seed)

    @verb(session=True)
    def isolate(self, part: Layers, expert: int, *, tokens: str = "all") -> InForce:
        """Send every token to one expert, with weight 1, and to no other.

        Args:
            part: one or several routers: gate_3, gate_*
            expert: its number, counted from 0; below 0 from the end
            tokens: which are touched, as for scale
        """
        return self._each(part, lambda name: Isolate(name, expert, tokens=Tokens(str(tokens))))

    @verb(session=True)
    def experts(self, part: Layers, *, keep: Any = None, drop: Any = None, tokens: str = "all") -> InForce:
        """Say which experts a router may choose; as many as ever answer for a token.

        Args:
            part: one or several routers, as for isolate
            keep: all but these are never chosen: 0,3,-1 or 4:8
            drop: these are never chosen
            tokens: which are touched, as for scale
        """
        return self._each(part, lambda name: Experts(name, keep, drop, tokens=Tokens(str(tokens))))

    @verb(session=True)
    def reroute(
        self, part: Layers, how: Literal["uniform", "random", "anti"], *, seed: int = 0, tokens: str = "all"
    ) -> InForce:
        """Let routers choose otherwise, as many experts for every token.

        Args:
            part: one or several routers, as for isolate
            how: uniform weighs those chosen alike, random chooses by chance, anti the least likely first
            seed: for random
            tokens: which are touched, as for scale
        """
        return self._each(part, lambda name: Reroute(name, how, seed, tokens=Tokens(str(tokens))))

"""Tending: how the garage itself fares, what stands in it, and its habits."""

from __future__ import annotations

from typing import Any, Literal

from ..answers.health import Health, examined
from ..answers.models import Models, known_models
from ..answers.registered import Registered
from ..answers.settings import Settings
from ..answers.stopped import Stopped
from ..core.cancel import stop
from ..doctor.page import answered
from ..registry.lift import lift
from ..registry.models import ModelRegistry
from ..registry.verification import Verification, verify
from ..verbs import verb
from .session import Layers, Session


class Tending(Session):
    @verb(model=False)
    def models(self) -> Models:
        """List the models that can be put on the lift by name, with no network."""
        return known_models()

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

    @verb(session=True, model=False)
    def show(
        self,
        widget: Literal[
            "picker", "bench", "scope", "attention", "lens", "debate", "dashboard", "composer", "ping"
        ] = "picker",
        prompt: str | None = None,
        *,
        parts: Layers | None = None,
    ) -> Any:
        """Show a widget: pick parts, tune them, watch them.

        Args:
            widget: picker, the model as an engine block; bench, a fader for every part; scope, every part at every
                token while the model writes; attention and lens, what the model reads and would say, part by part;
                debate, perspectives of one stream side by side;
                dashboard, picker, bench and scope side by side; composer, a hybrid put together of parts of other
                models; ping, whether widgets work here
            prompt: the text to start with, for all but picker, composer and ping; it can be typed in too
            parts: which parts have a fader, for bench, or are watched, for scope
        """
        from ..widgets.named import made

        panel = made(widget, self, prompt=prompt, parts=parts)
        if widget == "ping":
            self.ping = panel
        return panel

    @verb(session=True, model=False)
    def stop(self) -> Stopped:
        """Ask the run under way on the model to end: of a widget, or of a thread of yours."""
        return Stopped(self.spec.model_id, stop(self.model))

    @verb(session=True, model=False)
    def config(self, name: str | None = None, value: Any = None) -> Settings:
        """List what verbs take where nothing is said, or set one of it.

        Args:
            name: tau, tokens or debug
            value: what it is from now on; nothing is set when left out
        """
        if name is not None:
            self.settings = self.settings.changed(name, getattr(self.settings, name, None) if value is None else value)
        return self.settings

    @verb()
    def verify(self) -> Verification:
        """Prove that the model is as it came, bit for bit."""
        return verify(self.lifted)

    @verb(model=False)
    def doctor(self) -> Health:
        """Say what works here, packages, notebook and machine, and what to do about the rest."""
        return examined(answered(self.ping))

"""LayerInjector: edits on a live model for a `with` block, for code that calls the model itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from torch import Tensor, nn

from ..core.attach import Attached
from ..core.block import Block
from ..errors import EditError, nearest
from ..registry.decompose import spec_of
from .edit import Edit
from .edits import Add, Noise, Scale, Through
from .recipe import Recipe


class LayerInjector(Block):
    """Stacks edits in the order given and takes them all down at the end of the block, whatever happens.

    Places are any name the catalogue understands: `layer_3`, `attention_-1.head_2`, or a raw module path. Every
    `inject…` answers a name to remove it by. Edits act in the context of the block, which a thread of your own inherits
    when it is started with `copy_context().run`; without a block, in the thread that made them.
    """

    def __init__(self, model: nn.Module, *, aside: bool = False) -> None:
        """`aside`: in force only where you call the model, not where the garage runs it."""
        super().__init__(aside=aside)
        self.model = model
        self.spec = spec_of(model)

    def inject(self, place: str, fn: Callable[[Tensor], Tensor], name: str | None = None) -> str:
        """Replace the hidden states leaving `place` by `fn(hidden)`, of the same shape."""
        return self.add(Through(place, fn), name)

    def inject_scaling(self, place: str, scale: float = 0.9) -> str:
        return self.add(Scale(place, scale))

    def inject_additive(self, place: str, bias: Tensor | float) -> str:
        return self.add(Add(place, bias))

    def inject_noise(self, place: str, noise_scale: float = 0.1, seed: int = 0) -> str:
        """`noise_scale` is a share of the standard deviation of the hidden states there."""
        return self.add(Noise(place, noise_scale, seed))

    def inject_custom_layer(self, place: str, custom_module: nn.Module) -> str:
        return self.add(Through(place, custom_module))

    def add(self, edit: Edit, name: str | None = None) -> str:
        """Put any Edit in force. A name in use already is an EditError; nothing changes then."""
        chosen = name or self._fresh(edit)
        if chosen in self._open:
            raise EditError(
                f"An injection named {chosen!r} is in force already.", "Give another name, or remove() it first."
            )
        self.hold(chosen, Attached(self.model, Recipe((edit,)).taps(self.spec)))
        return chosen

    def remove(self, name: str) -> None:
        if name not in self._open:
            raise EditError(f"No injection is named {name!r}.", f"There are: {nearest(name, self._open) or 'none'}.")
        self.let_go(name)

    def list_injections(self) -> list[str]:
        """Names in the order they act."""
        return list(self._open)

    def _fresh(self, edit: Edit) -> str:
        names = (f"{edit.at}:{edit.verb}_{count}" for count in itertools.count(1))
        return next(name for name in names if name not in self._open)

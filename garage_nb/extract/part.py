"""What comes out of a model: a module that runs on its own, and the value that says what it is."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, final

from jaxtyping import Float, Int
from torch import Tensor, nn

from ..core.sites import leaving, with_entering
from ..errors import InputError
from ..registry.specs import ModelSpec
from ..view.cards import Card
from ..view.frames import framed
from ..view.shown import Shown
from .description import PartDescription
from .donor import Donor
from .hollow import Hollow
from .lone import answered

if TYPE_CHECKING:
    import pandas as pd

    from .trial import PartTest


class ExtractedPart(Shown, nn.Module):
    """A part on its own. `module` is the copy itself; `state_dict` holds its weights and no others."""

    def __init__(self, module: nn.Module, description: PartDescription, donor: Donor) -> None:
        super().__init__()
        self.module = module
        self.description = description
        self.donor = donor

    @property
    def spec(self) -> ModelSpec:
        """The donor's catalogue, cut to this part, its layer, and what stands outside the layers."""
        return self.donor.spec

    @property
    def config(self) -> Any:
        """A copy of the donor's config; None for a model of one's own without one."""
        return self.donor.config

    def test(self) -> PartTest:
        """Shapes, finite numbers, gradients, causality, and how near it was to the part in the model."""
        from .trial import tried

        return tried(self)

    def frame(self) -> pd.DataFrame:
        """One row a tensor of its weights."""
        weights = self.state_dict()
        rows = [(str(tuple(one.shape)), one.numel(), str(one.dtype).removeprefix("torch.")) for one in weights.values()]
        return framed("weight", weights, ["shape", "numbers", "dtype"], rows)

    def picture(self) -> Card:
        known = self.description
        facts = {
            "from": f"{known.model_id} ({known.family.value})",
            "width": f"{known.input_dim} → {known.output_dim}",
            "size": f"{known.parameters:,} parameters",
            "takes": self.takes,
            **({"gives": known.share} if known.share else {}),
            **({"shared": known.tied} if known.tied else {}),
        }
        return Card(known.name, facts, note=".module is the module itself.")

    @property
    @abstractmethod
    def takes(self) -> str:
        """What it is called with, in words."""

    @abstractmethod
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the part answers."""


@final
class FreePart(ExtractedPart):
    """A part that looks at one token at a time: embedding, ffn, norm, gate, head. Called as the module itself is."""

    @property
    def takes(self) -> str:
        return "one token at a time"

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return answered(self.module, args, kwargs)


@final
class ContextPart(ExtractedPart):
    """A part that looks at several tokens, attention or a whole layer, with what its decoder would tell it."""

    def __init__(self, module: nn.Module, description: PartDescription, donor: Donor, hollow: Hollow) -> None:
        super().__init__(module, description, donor)
        self.hollow = hollow

    @property
    def takes(self) -> str:
        most = self.description.max_seq_len
        return f"hidden states (batch, seq, {self.description.input_dim})" + (
            f", at most {most} tokens" if most else ""
        )

    def forward(
        self, hidden: Float[Tensor, "batch seq dim"], attention_mask: Int[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq dim"]:
        """What the part would send out in the model. `attention_mask` is 1 for tokens and 0 for padding.

        Gradients pass through. Wrong shapes and more tokens than the model has positions are an InputError.
        """
        self._check(hidden, attention_mask)
        args, kwargs = self.hollow(hidden, attention_mask)
        args, kwargs = with_entering(args, kwargs, hidden)
        return leaving(answered(self.module, args, kwargs))

    def _check(self, hidden: Tensor, attention_mask: Tensor | None) -> None:
        known = self.description
        if hidden.ndim != 3 or hidden.shape[-1] != known.input_dim or not hidden.is_floating_point():
            raise InputError(
                f"{known.name} takes hidden states (batch, seq, {known.input_dim}), not {tuple(hidden.shape)} "
                f"{str(hidden.dtype).removeprefix('torch.')}.",
                "Capture some at its input, or start from torch.randn.",
            )
        if known.max_seq_len is not None and hidden.shape[1] > known.max_seq_len:
            raise InputError(
                f"The hidden states are {hidden.shape[1]} tokens long.",
                f"{known.model_id} was made for {known.max_seq_len}; shorten them.",
            )
        if attention_mask is not None and attention_mask.shape != hidden.shape[:2]:
            raise InputError(
                f"The mask is {tuple(attention_mask.shape)} where the tokens are {tuple(hidden.shape[:2])}.",
                "Give a mask of the same shape.",
            )

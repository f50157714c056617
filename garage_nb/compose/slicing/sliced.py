"""Sliced: a plain model that has some of the neurons of another, and answers as that does with the others masked.

Zeroing a neuron saves nothing, for a zero is multiplied as any number is. Without its row and its column there is less
to multiply.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from ...errors import BuildError, EditError, shortened
from ...inject.mask import Kept, numbers_in
from ...registry.lift import Lifted
from ...registry.part_spec import PartType
from ..assembly.proof import Proof
from ..layout.donors import Donor, opened
from .as_masked import as_masked
from .narrowing import Means, narrowed
from .widths import empty_for


def sliced(lifted: Lifted, kept: Kept, means: Means | None = None) -> nn.Module:
    """A new model of the same class; `kept` says by ffn which neurons it has, as many in every ffn.

    Neurons that go count 0, or for the ffns named in `means` as much as is said there, which their bias then holds. The
    user's model stays as it is, and weights that are whole in both are one memory, which needs no gradient. EditError
    for neurons that are not there. BuildError where the class cannot be so wide: experts, ffns of several widths, no
    field of the config for it, no bias for means; and where it does not answer as the masked one does.
    """
    model: nn.Module = proved(lifted, kept, means or {})[0]
    return model


def proved(lifted: Lifted, kept: Kept, means: Means) -> tuple[Any, Proof]:
    """The model, and how near it is to the masked one."""
    donor = opened(lifted.spec.model_id, lifted)
    wanted = {lifted.spec.name(name): _inside(lifted, name, numbers) for name, numbers in kept.items()}
    shifts = {lifted.spec.name(name): mean for name, mean in means.items()}
    before, after = _widths(lifted, wanted)
    tensors = narrowed(donor, wanted, shifts)
    model = _filled(empty_for(donor, tensors, before, after), donor, tensors)
    found = as_masked(model, lifted, wanted, shifts)
    if found.holds is False:
        raise BuildError(f"What was sliced is not right: {found.claim}: {found.found}.", "Mask the neurons instead.")
    return model, found


def _inside(lifted: Lifted, name: str, numbers: Iterable[int]) -> tuple[int, ...]:
    """Each once, in order. EditError for what is no number of a neuron, or no part with neurons."""
    part = lifted.spec.part(name)
    count = part.count_of("neurons")
    if not count:
        inside = "Its neurons are inside experts." if part.count_of("experts") else "Name ffn_0, ffn_1 …"
        raise EditError(f"{name} of {lifted.spec.model_id} has no neurons that can be taken out.", inside)
    if "turn" in part.extra_info:
        raise BuildError(f"{name} shares its weights with other layers.", "Mask its neurons instead.")
    wanted = numbers_in(numbers)
    if wrong := [number for number in wanted if not -count <= number < count]:
        raise EditError(f"{name} has no neuron {wrong[0]}.", f"They go from 0 to {count - 1}.")
    return tuple(sorted({number % count for number in wanted}))


def _widths(lifted: Lifted, wanted: Kept) -> tuple[int, int]:
    """Of every ffn, before and after. A config knows one number for all layers."""
    ffns = [name for name, part in lifted.spec.parts.items() if part.part_type is PartType.FFN]
    others = [name for name in ffns if name not in wanted]
    if others or not wanted:
        raise BuildError(
            f"{shortened(others)} would stay as they are, and a config knows one width for all layers.",
            "Keep as many neurons in every ffn.",
        )
    before = {lifted.spec.parts[name].intermediate_dim or 0 for name in wanted}
    after = {len(numbers) for numbers in wanted.values()}
    if len(before) > 1 or len(after) > 1:
        said = ", ".join(map(str, sorted(after if len(after) > 1 else before)))
        raise BuildError(
            f"The ffns would have {said} neurons, and a config knows one width for all layers.",
            "Keep as many neurons in every ffn.",
        )
    return before.pop(), after.pop()


def _filled(model: Any, donor: Donor, tensors: dict[str, Tensor]) -> Any:
    model.load_state_dict(tensors, assign=True)
    model.tie_weights()
    model.to(donor.device)
    own = {name for name, tensor in tensors.items() if tensor.data_ptr() != donor.tensors[name].data_ptr()}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in own)
    if getattr(donor.model, "generation_config", None) is not None:
        model.generation_config = copy.deepcopy(donor.model.generation_config)
    model.config.architectures = [type(model).__name__]
    return model

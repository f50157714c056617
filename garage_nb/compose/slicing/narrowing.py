"""Narrowing: a model's weights without the rows and columns of the neurons that go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...errors import BuildError
from ...extract.chain import links
from ...extract.cut import Uncuttable, orientation, rows_of_neurons
from ...inject.mask import Kept
from ...registry.part_spec import PartSpec
from ..layout.donors import Donor

Means = Mapping[str, Float[Tensor, " neurons"]]


def narrowed(donor: Donor, kept: Kept, means: Means) -> dict[str, Tensor]:
    """Every tensor by name. Those that stay whole are the donor's own memory, without its gradients.

    The `means` of neurons that go are added to the bias behind them. BuildError where there is none to hold them, and
    for a part that cannot be cut.
    """
    found = {name: tensor.detach() for name, tensor in donor.tensors.items()}
    for name, neurons in kept.items():
        try:
            found |= dict(_cut(donor, donor.spec.parts[name], neurons))
        except Uncuttable as error:
            raise BuildError(f"{name} cannot be made smaller: {error}.", "Mask its neurons instead.") from None
        if name in means:
            found |= _shifted(donor, name, neurons, means[name])
    return found


def _cut(donor: Donor, part: PartSpec, neurons: Sequence[int]) -> Iterator[tuple[str, Tensor]]:
    last = str(part.extra_info["projection"])
    paths = dict.fromkeys([*links(part), last])
    modules = [pair for path in paths for pair in donor.model.get_submodule(path).named_modules(prefix=path)]
    count = part.intermediate_dim or 0
    for path, linear, rows in rows_of_neurons(modules, last, count, neurons):
        yield f"{path}.weight", _picked(donor.tensors[f"{path}.weight"], orientation(linear), rows)
        if f"{path}.bias" in donor.tensors:
            yield f"{path}.bias", _picked(donor.tensors[f"{path}.bias"], 0, rows)
    columns = 1 - orientation(donor.model.get_submodule(last))
    yield f"{last}.weight", _picked(donor.tensors[f"{last}.weight"], columns, torch.tensor(neurons))


def _shifted(donor: Donor, name: str, neurons: Sequence[int], mean: Tensor) -> dict[str, Tensor]:
    """The bias behind them with what the neurons that go add on average, reckoned in float64."""
    last = str(donor.spec.parts[name].extra_info["projection"])
    bias, weight = donor.tensors.get(f"{last}.bias"), donor.tensors[f"{last}.weight"]
    if bias is None:
        raise BuildError(
            f"{last} of {name} has no bias to hold the means of neurons that go.",
            "Fill with zeros, or mask with the means instead.",
        )
    module: nn.Module = donor.model.get_submodule(last)
    gone = mean.detach().to(weight.device, torch.float64).index_fill(0, torch.tensor(neurons).to(weight.device), 0)
    across = weight.detach().double().movedim(orientation(module), 0)  # (dim, neurons)
    return {f"{last}.bias": (bias.detach().double() + across @ gone).to(bias.dtype)}


def _picked(tensor: Tensor, dimension: int, places: Tensor) -> Tensor:
    return tensor.detach().index_select(dimension, places.to(tensor.device))

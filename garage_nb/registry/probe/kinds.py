"""What a module is, told by what it holds."""

from __future__ import annotations

from torch import nn

_ELEMENTARY = ("torch.nn.modules", "transformers.activations")


def is_norm(module: nn.Module) -> bool:
    """Vectors only. By name, or one or two of them and nothing else."""
    named = "norm" in type(module).__name__.lower()
    if module._modules:
        return named and all(parameter.ndim <= 1 for parameter in module.parameters())
    shapes = [parameter.ndim for parameter in module._parameters.values() if parameter is not None]
    return all(dims <= 1 for dims in shapes) and (named or 0 < len(shapes) <= 2)


def is_linear(module: nn.Module) -> bool:
    """A Linear or what stands for one: Conv1D, quantised and adapted ones. Not an embedding, not fused experts."""
    if isinstance(module, nn.Embedding):
        return False
    weight = getattr(module, "weight", None)
    return hasattr(module, "in_features") or (getattr(weight, "ndim", 0) == 2 and not any(module.children()))


def is_elementary(module: nn.Module) -> bool:
    """One operation, whatever it is made of inside: linear maps, norms, activations, look-ups."""
    if any(module.children()):
        return False
    return is_linear(module) or is_norm(module) or type(module).__module__.startswith(_ELEMENTARY)

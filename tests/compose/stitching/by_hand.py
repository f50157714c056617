"""What a guest does between its maps, by plain hooks on plain models and nothing of the garage's own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from garage_nb.compose.stitching.maps import Maps
from garage_nb.registry.lift import Lifted, lift
from tests.compose.bench import model
from tests.families import tiny

WIDE: dict[str, dict[str, Any]] = {"gpt2": {"n_embd": 48}}
PLAIN = {"hidden_size": 48}


def guest(family: str, **changes: Any) -> Any:
    """Half as wide again as `tiny` makes it, and of other weights."""
    return model(family, 4, seed=1, **{**WIDE.get(family, PLAIN), **changes})


def of_two(host: str, other: Any) -> dict[str, Lifted]:
    return {"a": lift(model(host)), "b": lift(other)}


def narrow_llama(**changes: Any) -> Any:
    """Heads as wide as those of the host, in another residual stream, and fewer neurons."""
    return tiny("llama", 4, seed=1, **{"hidden_size": 48, "head_dim": 8, "intermediate_size": 40, **changes})


def path_of(donor: Lifted, name: str) -> str:
    return donor.spec.part(name).module_path


def first(output: Any) -> Tensor:
    found: Tensor = output[0] if isinstance(output, tuple) else output
    return found


@torch.no_grad()
def entering(of: Any, path: str, ids: Tensor) -> tuple[Tensor, Tensor]:
    """What enters and what leaves a module while the model reads."""
    seen: list[Tensor] = []

    def keep(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        seen.extend([args[0] if args else kwargs["hidden_states"], first(output)])

    handle = of.get_submodule(path).register_forward_hook(keep, with_kwargs=True)
    of(ids, use_cache=False)
    handle.remove()
    return seen[0], seen[1]


def at_home(of: Any, path: str, came: Tensor) -> Tensor:
    """What a module gives in its own model where `came` (1, seq, dim) enters it, whatever is read."""
    seen: list[Tensor] = []

    def put(module: Any, args: Any, kwargs: Any) -> Any:
        if args:
            return (came, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": came}

    module = of.get_submodule(path)
    handles = [module.register_forward_pre_hook(put, with_kwargs=True),
               module.register_forward_hook(lambda module, args, output: seen.append(first(output)))]  # fmt: skip
    of(torch.zeros(came.shape[:2], dtype=torch.long), use_cache=False)
    for handle in handles:
        handle.remove()
    return seen[0]


def between(maps: Maps, run: Callable[[Tensor], Tensor], x: Tensor, *, stream: bool = False) -> Tensor:
    """out(guest(into(x) + shift)) in float32, of a whole layer only what it adds."""
    into, shift, out = (tensor.float() for tensor in (maps.into, maps.shift, maps.out))
    came = x @ into + shift
    gave = run(came)
    return x + (gave - came) @ out if stream else gave @ out


def hosting(host: Any, path: str, fn: Callable[[Tensor], Tensor]) -> Any:
    """A copy in which `fn` of what enters a module leaves it."""
    made = copy.deepcopy(host)

    def answer(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
        found = fn(args[0] if args else kwargs["hidden_states"])
        return (found, *output[1:]) if isinstance(output, tuple) else found

    made.get_submodule(path).register_forward_hook(answer, with_kwargs=True)
    return made


def close(found: Tensor, expected: Tensor, most: float = 2e-5) -> bool:
    return bool((found - expected).abs().max() <= most * expected.abs().max())

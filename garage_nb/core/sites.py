"""Site: a place where a tensor can be read or written, and how to reach that tensor there.

Blocks return a tensor, a tuple whose first item is the tensor, or a ModelOutput; inputs come by position or as
`hidden_states=`. Both facts differ by family and by transformers version, so they are dealt with here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from ..errors import EditError, HookError, UnknownPartError, nearest
from .ledger import Ledger
from .tokens import EVERY, Stand, Tokens, TokensByRow, held, spread
from .units import Passing, Unit

if TYPE_CHECKING:
    from .standing import Standing

Side = Literal["input", "output", "stream", "query", "key", "value", "pattern", "choice", "chosen", "routing"]
Reader = Callable[[Tensor], None]
Writer = Callable[[Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Site:
    """What enters or leaves one module. `path` is the module's name as `named_modules()` gives it.

    `turn` says which of the calls of one pass is meant, from 0, where a module is called several times; None: every
    call. The hidden states are `times` what is found there, and of them only `unit` where one is given.

    ============================ ================================================================================
    input, output                what enters or leaves the module
    stream                       what enters it while it also goes past, and is written to for both
    query, key, value, pattern   what an attention module gives to transformers' attention function, and what
                                 that makes of it
    choice, chosen               inside a router: the logits that it chooses experts by, and which it chose
    routing                      what a module of fused experts is told: how much each counts, (tokens, experts)
    ============================ ================================================================================
    """

    path: str
    side: Side = "output"
    turn: int | None = None
    times: float = 1.0
    unit: Unit | None = None
    stack: str | None = None

    def __str__(self) -> str:
        return self.path if self.side == "output" else f"{self.side} of {self.path}"


@dataclass(frozen=True)
class Read:
    """Call `fn` with the tensor found at `site`; the pass goes on unchanged."""

    site: Site
    fn: Reader


@dataclass(frozen=True)
class Write:
    """Put what `fn(hidden, touched)` returns in place of the tensor found at `site`, at the tokens that are touched.

    `touched` is a mask that broadcasts to `hidden`, None where that is every token. `said` is the edit in the user's
    words. `by` stands for all that `fn` depends on: two writes by equal values do the same; None equals nothing. `told`
    hears of every call of the model itself before it begins.
    """

    site: Site
    fn: Writer
    said: str = ""
    tokens: Tokens | TokensByRow = EVERY
    by: object = None
    told: Callable[[Standing], None] | None = None


@dataclass(frozen=True)
class Call:
    """A torch forward hook as it stands: `fn(module, args, output)`; what it returns replaces the output."""

    site: Site
    fn: Callable[..., Any]


@dataclass(frozen=True)
class Watch:
    """Tell `fn(module, …)` of every call at `site`: its (args, kwargs) at the input, what it returned at the output.

    `untouched`: before anything is written there.
    """

    site: Site
    fn: Callable[[nn.Module, Any], None]
    untouched: bool = False


Tap = Read | Write | Call | Watch


def everywhere(fn: Callable[[Tensor], Tensor]) -> Writer:
    """A function of the hidden states alone as a writer."""
    return lambda hidden, touched: fn(hidden)


def tokens_first(site: Site, hidden: Tensor) -> Tensor:
    """(batch, seq, …) whatever the site: of a pattern (batch, heads, query, key) the rows are the queries'."""
    return hidden.transpose(1, 2) if site.side == "pattern" else hidden


def module_at(model: nn.Module, path: str) -> nn.Module:
    """The module at a raw path. UnknownPartError names the nearest paths."""
    try:
        return model.get_submodule(path)
    except AttributeError:
        names = filter(None, (name for name, _ in model.named_modules()))
        raise UnknownPartError(
            f"No module {path!r} in this {type(model).__name__}.", f"Nearest: {nearest(path, names)}."
        ) from None


def modules_at(model: nn.Module, paths: Iterable[str]) -> dict[str, nn.Module]:
    """Path -> module for several."""
    return {path: module_at(model, path) for path in paths}


def leaving(output: object) -> Tensor:
    """The hidden states in what a module returned."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, tuple | list) and output and isinstance(output[0], Tensor):
        return output[0]
    if isinstance(output, Mapping):
        for value in output.values():
            if isinstance(value, Tensor):
                return value
    raise HookError(
        f"A module returned {type(output).__name__}, in which no hidden states were found.",
        "Name the module one level inside it.",
    )


def chosen(output: object) -> Tensor:
    """The indices of the experts in what a router returned, (tokens, k)."""
    items = output if isinstance(output, tuple | list) else ()
    found = next((item for item in items if isinstance(item, Tensor) and not item.is_floating_point()), None)
    if found is None:
        raise HookError("A router returned no choice of experts.", "Read its logits, or the whole ffn of this layer.")
    return found


def with_leaving(output: Any, hidden: Tensor) -> Any:
    """The same return value with its hidden states replaced; never changed in place."""
    if isinstance(output, Tensor):
        return hidden
    if isinstance(output, tuple):
        rest = (hidden, *output[1:])
        return type(output)(*rest) if hasattr(output, "_fields") else rest
    if isinstance(output, list):
        return [hidden, *output[1:]]
    first = next(key for key, value in output.items() if isinstance(value, Tensor))
    return type(output)(**{**output, first: hidden})


def fitting(said: str, before: Tensor, after: object) -> Tensor:
    """What an edit returned, in the dtype that was there. EditError when it is no tensor of that shape."""
    if not isinstance(after, Tensor) or after.shape != before.shape:
        found = tuple(after.shape) if isinstance(after, Tensor) else type(after).__name__
        raise EditError(
            f"The edit {said!r} returned {found} where {tuple(before.shape)} left the model.",
            "Return a tensor of the same shape.",
        )
    return after if after.dtype == before.dtype else after.to(before.dtype)


def found(site: Site, passing: Passing) -> Tensor:
    """The hidden states a site means, of what passes its module."""
    own = _own(site, passing)
    return own if site.times == 1 else own * site.times


def written(write: Write, passing: Passing, stand: Stand | None = None, ledger: Ledger | None = None) -> Tensor:
    """All that passes, with what the site means replaced. Entries the edit leaves alone keep their bits."""
    site, own = write.site, _own(write.site, passing)
    before = own if site.times == 1 else own * site.times
    touched = _touched(write, stand, before)
    after = fitting(_said(write), before, write.fn(before, touched))
    if after is before:
        return passing.hidden
    if touched is not None:
        after = torch.where(touched, after, before)
    if ledger is not None:
        ledger.note(_said(write), before, after)
    if site.times != 1:
        after = torch.where(after == before, own, after / site.times)
    return after if site.unit is None else site.unit.with_own(passing, own, after)


def _touched(write: Write, stand: Stand | None, hidden: Tensor) -> Tensor | None:
    """The mask of the tokens to touch. EditError where they cannot be told apart."""
    if stand is None and write.tokens == EVERY:
        return None
    if stand is None:
        raise EditError(
            f"Which tokens {_said(write)!r} means cannot be told: the model itself was not called.",
            "Call the model itself, not a module inside it, or let the edit touch all tokens.",
        )
    touched = write.tokens.touched(stand)
    if touched is not None and write.site.side in ("key", "value"):
        touched = held(touched, hidden.shape[1])
    mask = None if touched is None else spread(touched, stand.seq, hidden)
    if touched is not None and mask is None:
        raise EditError(
            f"Tokens cannot be told apart for {_said(write)!r}, where {tuple(hidden.shape)} passes.",
            "Give prompts of one length, and let the edit touch all tokens.",
        )
    return mask


def _said(write: Write) -> str:
    return write.said or f"at {write.site}"


def _own(site: Site, passing: Passing) -> Tensor:
    return passing.hidden if site.unit is None else site.unit.own(passing)


def entering(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    """The hidden states in what a module was called with."""
    return _entry(args, kwargs)[1]


def with_entering(
    args: tuple[Any, ...], kwargs: dict[str, Any], hidden: Tensor
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    key, _ = _entry(args, kwargs)
    if isinstance(key, int):
        return (*args[:key], hidden, *args[key + 1 :]), kwargs
    return args, {**kwargs, key: hidden}


def _entry(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[int | str, Tensor]:
    for position, value in enumerate(args):
        if isinstance(value, Tensor):
            return position, value
    preferred = kwargs.get("hidden_states")
    if isinstance(preferred, Tensor):
        return "hidden_states", preferred
    for key, value in kwargs.items():
        if isinstance(value, Tensor):
            return key, value
    raise HookError("A module was called without any tensor.", "Read what leaves it instead of what enters it.")

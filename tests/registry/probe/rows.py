"""Families written down by hand from the sources of transformers; nothing here was asked of the probe.

Paths are relative to the block; `adds` is the module whose output joins the residual stream, where it is another than
the half's own. A norm is `path: role place`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Half:
    """`enters` is the projection that heads or neurons enter; empty for experts and mixers."""

    module: str
    enters: str = ""
    adds: str = ""
    times: float = 1.0
    spread: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Attention(Half):
    qkv: str
    sources: tuple[str, ...]
    kv_heads: int = 4
    head_dim: int = 8


@dataclass(frozen=True, kw_only=True)
class Feed(Half):
    neurons: int | None = 64
    router: str = ""
    experts: str = ""


@dataclass(frozen=True, kw_only=True)
class Family:
    """`entry` is a line of the zoo, `block` the path of the block at `layer`; names there begin with `stack`."""

    entry: str
    block: str
    halves: dict[str, Half]
    norms: dict[str, str]
    edges: dict[str, str] = field(default_factory=dict)
    parallel: bool = False
    layer: int = 0
    stack: str = ""

    def path(self, relative: str) -> str:
        return f"{self.block}.{relative}" if relative else self.block


def split(owner: str, names: str = "q_proj k_proj v_proj") -> tuple[str, ...]:
    return tuple(f"{owner}.{name}" for name in names.split())


def attention(owner: str, out: str, qkv: str = "split", names: str = "q_proj k_proj v_proj", **more: object) -> Half:
    return Attention(module=owner, enters=f"{owner}.{out}", qkv=qkv, sources=split(owner, names), **more)  # type: ignore[arg-type]


def feed(owner: str, down: str, **more: object) -> Half:
    return Feed(module=owner, enters=f"{owner}.{down}", **more)  # type: ignore[arg-type]


def moe(owner: str, router: str) -> Half:
    return Feed(module=owner, neurons=None, router=f"{owner}.{router}", experts=f"{owner}.experts")

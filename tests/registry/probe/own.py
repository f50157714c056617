"""Models as people write them for themselves: no config, `forward(ids)` answers a tensor of logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DIM, HEADS, VOCAB, POSITIONS = 16, 2, 20, 12
IDS = torch.tensor([[1, 5, 2, 9, 7]])


class CausalSelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in self.c_attn(x).split(DIM, dim=-1))
        return self.c_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class SlowSelfAttention(CausalSelfAttention):
    """By two products and a softmax."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in self.c_attn(x).split(DIM, dim=-1))
        scores = q @ k.transpose(-2, -1) / (DIM // HEADS) ** 0.5
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        return self.c_proj((scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v).transpose(1, 2).flatten(2))


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(DIM, 3 * DIM), nn.Linear(3 * DIM, DIM)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(F.gelu(self.c_fc(x)))


class Block(nn.Module):
    attention: type[nn.Module] = CausalSelfAttention

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.attn, self.ln_2, self.mlp = nn.LayerNorm(DIM), self.attention(), nn.LayerNorm(DIM), MLP()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class SlowBlock(Block):
    attention = SlowSelfAttention


class InPlaceBlock(Block):
    """Adds to the stream where it lies."""

    def forward(self, x: Tensor) -> Tensor:
        x += self.attn(self.ln_1(x))
        x += self.mlp(self.ln_2(x))
        return x


class GatedBlock(Block):
    """The stream itself passes a nonlinearity, so nothing can be added up."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x + self.attn(self.ln_1(x))) * torch.sigmoid(self.mlp(self.ln_2(x)))


class TupleBlock(Block):
    """Returns what it does not use as well."""

    def forward(self, x: Tensor) -> tuple[Tensor, None, dict[str, Any]]:
        return super().forward(x), None, {}


class GPT(nn.Module):
    """nanoGPT's shape: a `transformer` dict with the blocks in `h`."""

    def __init__(self, block: type[nn.Module] = Block, layers: int = 3, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.transformer = nn.ModuleDict(
                {
                    "wte": nn.Embedding(VOCAB, DIM),
                    "wpe": nn.Embedding(POSITIONS, DIM),
                    "h": nn.ModuleList([block() for _ in range(layers)]),
                    "ln_f": nn.LayerNorm(DIM),
                }
            )
            self.lm_head = nn.Linear(DIM, VOCAB, bias=False)
            for parameter in self.parameters():
                nn.init.normal_(parameter, 1.0 if parameter.ndim == 1 else 0.0, 0.3)

    def forward(self, idx: Tensor, targets: Tensor | None = None) -> Tensor:
        inner = self.transformer
        x = inner["wte"](idx) + inner["wpe"](torch.arange(idx.shape[1]))
        for block in inner["h"]:
            x = block(x)
            x = x[0] if isinstance(x, tuple) else x
        return self.lm_head(inner["ln_f"](x))


class Flat(nn.Module):
    """No blocks at all."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(VOCAB, DIM), nn.Linear(DIM, VOCAB)

    def forward(self, idx: Tensor) -> Tensor:
        return self.head(self.table(idx).cumsum(1))


class Towers(nn.Module):
    """A list of modules that do not lead into one another."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.towers = nn.Embedding(VOCAB, DIM), nn.ModuleList([Block() for _ in range(3)])

    def forward(self, idx: Tensor) -> Tensor:
        return torch.stack([tower(self.table(idx)) for tower in self.towers]).sum(0)


class Broken(GPT):
    def forward(self, idx: Tensor, targets: Tensor | None = None) -> Tensor:
        super().forward(idx)
        raise ValueError("the images are missing\nthis second line is not for the reader")

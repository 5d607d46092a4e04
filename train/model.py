"""The two networks: one that makes pictures small and large again, and the flow that dreams up small ones.

A picture is 128 x 128 pixels, red, green and blue from -1 to 1, channels first. Small it is 16 x 16 places with 16
channels of mean 0 and spread 1, and the flow sees it as 64 tokens of 64 numbers: 2 x 2 places together, as FLUX packs
them. Words come as vectors of the embedder, one for the whole prompt and up to `WORDS` for single words.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as f
from torch import Tensor, nn

SIDE = 128
PATCH = 32
TOKENS = (SIDE // PATCH) ** 2
TOKEN = 256
VECTOR = 384
WORDS = 4


def normed(x: Tensor) -> Tensor:
    """Each vector with a mean square of 1."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


class Residual(nn.Module):
    """Two convolutions added to what comes in, which begin as doing nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(f.silu(self.first(f.silu(x))))


class Finish(nn.Module):
    """Takes the seams between patches and the flow's noise out of a picture (n, 3, 128, 128), from -1 to 1."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, width, 3, padding=1),
            *(Residual(width) for _ in range(3)),
            nn.SiLU(),
            nn.Conv2d(width, 48, 3, padding=1),
            nn.PixelShuffle(4),
        )
        nn.init.zeros_(self.layers[-2].weight)

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures + self.layers(pictures)


class Block(nn.Module):
    """Attention over words and picture together, then a perceptron; both steered by time and prompt."""

    def __init__(self, width: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, ratio * width, bias=False)
        self.down = nn.Linear(ratio * width, width, bias=False)
        self.steer = nn.Parameter(torch.zeros(6, width))
        self.scale = nn.Parameter(torch.full((2, heads, 1, 1), 1.0))
        for layer in (self.out, self.down):
            nn.init.normal_(layer.weight, std=0.01)

    def forward(self, x: Tensor, steer: Tensor) -> Tensor:
        """`x` is (n, tokens, width), `steer` (n, 6, 1, width)."""
        shift, scale, gate, shift2, scale2, gate2 = (steer + self.steer[:, None]).unbind(1)
        n, tokens, width = x.shape
        q, k, v = (
            self.qkv(normed(x) * (1 + scale) + shift)
            .reshape(n, tokens, 3, self.heads, width // self.heads)
            .permute(2, 0, 3, 1, 4)
            .unbind(0)
        )
        seen = f.scaled_dot_product_attention(normed(q) * self.scale[0], normed(k) * self.scale[1], v)
        x = x + (1 + gate) * self.out(seen.transpose(1, 2).reshape(n, tokens, width))
        y = f.gelu(self.up(normed(x) * (1 + scale2) + shift2), approximate="tanh")
        return x + (1 + gate2) * self.down(y)


class Sketch(nn.Module):
    """A first idea of the picture from words alone, in one go: what pictures for these words have in common.

    A perceptron learns things by heart at a fiftieth of what they cost a transformer, which then has to correct and
    sharpen only. Its last layer begins as the principal parts of whole pictures.
    """

    def __init__(self, width: int = 1024) -> None:
        super().__init__()
        self.enter = nn.Linear(VECTOR * (1 + WORDS), width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.leave = nn.Linear(width, TOKENS * TOKEN)

    def forward(self, prompt: Tensor, words: Tensor) -> Tensor:
        """`prompt` (n, 384) and `words` (n, 4, 384) to tokens (n, 16, 256)."""
        x = self.enter(torch.cat((prompt, words.flatten(1)), 1))
        for layer in self.layers:
            x = x + layer(f.gelu(normed(x), approximate="tanh"))
        return self.leave(x).reshape(-1, TOKENS, TOKEN)


class Flow(nn.Module):
    """What the picture is, seen through noise, at a time from 0 (noise) to 1 (picture); the velocity follows from it.

    Vectors come centred and scaled (see `data.py`); one of zeros stands for no prompt or no word.
    """

    def __init__(self, width: int = 384, depth: int = 6, heads: int = 6, ratio: int = 3) -> None:
        super().__init__()
        self.width = width
        self.enter = nn.Linear(TOKEN, width)
        self.sketch = nn.Linear(TOKEN, width, bias=False)
        self.places = nn.Parameter(torch.randn(TOKENS, width) * 0.5)
        self.word = nn.Linear(VECTOR, width)
        self.order = nn.Parameter(torch.randn(WORDS, width) * 0.2)
        self.time = nn.Sequential(nn.Linear(128, width), nn.SiLU(), nn.Linear(width, width))
        self.prompt = nn.Sequential(nn.Linear(VECTOR, width), nn.SiLU(), nn.Linear(width, width))
        self.steer = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(width, heads, ratio) for _ in range(depth))
        self.last = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, TOKEN)
        self.register_buffer("waves", torch.exp(torch.linspace(0, math.log(1000), 64)), persistent=False)
        for layer in (self.steer, self.last, self.leave):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor, time: Tensor, prompt: Tensor, words: Tensor, sketch: Tensor) -> Tensor:
        """`tokens` (n, 16, 256), `time` (n,), `prompt` (n, 384), `words` (n, 4, 384), `sketch` as `tokens` or zeros;
        the picture is as `tokens`."""
        angles = time[:, None] * self.waves
        whole = self.prompt(prompt)
        steer = f.silu(self.time(torch.cat((angles.sin(), angles.cos()), 1)) + whole)
        x = torch.cat(
            (whole[:, None], self.word(words) + self.order, self.enter(tokens) + self.sketch(sketch) + self.places), 1
        )
        each = self.steer(steer).reshape(-1, 6, 1, self.width)
        for block in self.blocks:
            x = block(x, each)
        shift, scale = self.last(steer)[:, None].chunk(2, -1)
        return self.leave(normed(x[:, -TOKENS:]) * (1 + scale) + shift)

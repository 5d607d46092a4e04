"""Small pictures of what is being drawn, from the numbers that a model works on, without decoding them.

Each token of those numbers stands for a square of the picture. What colours a square has is nearly a linear function of
its token, which is fitted once, on a picture of random colours that the model's own encoder turns into tokens.
"""

from __future__ import annotations

import io
from typing import Any

SQUARES = 16
"""Squares of a side of the picture that the function is fitted on: enough for the 64 or 128 numbers of a token."""

RIDGE = 1e-3
"""How much smaller weights are preferred to a better fit."""

QUALITY = 80


class Previews:
    def __init__(self, torch: Any, pipe: Any) -> None:
        self._torch = torch
        self._weights = self._fitted(pipe)

    def picture(self, tokens: Any, width: int, height: int) -> bytes:
        """The picture that `tokens` are of, so many pixels in full, as a small JPEG."""
        from PIL import Image

        torch = self._torch
        rows, columns = height // self._square, width // self._square
        flat = tokens[0].detach().to("cpu", torch.float32)
        colours = _with_one(torch, flat) @ self._weights
        grid = colours.reshape(rows, columns, 2, 2, 3).permute(0, 2, 1, 3, 4).reshape(rows * 2, columns * 2, 3)
        pixels = ((grid.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=QUALITY)
        return out.getvalue()

    def _fitted(self, pipe: Any) -> Any:
        torch, vae = self._torch, pipe.vae
        scale = int(pipe.vae_scale_factor)
        self._square = 2 * scale
        colours = torch.rand(1, 3, SQUARES * 2, SQUARES * 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
        smooth = torch.nn.functional.interpolate(colours, scale_factor=scale, mode="bilinear")
        seen = torch.nn.functional.avg_pool2d(smooth, scale)
        with torch.no_grad():
            latents = vae.encode(smooth.to(pipe._execution_device, vae.dtype))
            tokens = packed(normalised(torch, vae, latents.latent_dist.mode()))[0].to("cpu", torch.float32)
        wanted = packed(seen)[0].reshape(-1, 3, 4).transpose(1, 2).reshape(-1, 12)
        known = _with_one(torch, tokens)
        square = known.T @ known + RIDGE * len(known) * torch.eye(known.shape[1])
        return torch.linalg.solve(square, known.T @ wanted)


def normalised(torch: Any, vae: Any, latents: Any) -> Any:
    """What the encoder says, as the model works on it."""
    if not hasattr(vae, "bn"):
        return (latents - vae.config.shift_factor) * vae.config.scaling_factor
    batch, channels, height, width = latents.shape
    mean = vae.bn.running_mean.reshape(1, channels, 1, 2, 1, 2).to(latents)
    spread = torch.sqrt(vae.bn.running_var + vae.config.batch_norm_eps).reshape(1, channels, 1, 2, 1, 2).to(latents)
    squares = latents.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return ((squares - mean) / spread).reshape(batch, channels, height, width)


def packed(latents: Any) -> Any:
    """Squares of two by two as tokens: (batch, channels, height, width) to (batch, squares, channels × 4)."""
    batch, channels, height, width = latents.shape
    squares = latents.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return squares.permute(0, 2, 4, 1, 3, 5).reshape(batch, (height // 2) * (width // 2), channels * 4)


def _with_one(torch: Any, rows: Any) -> Any:
    return torch.cat([rows, torch.ones(len(rows), 1)], dim=1)

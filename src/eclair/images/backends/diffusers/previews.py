"""Previews of an image in progress, from its latents and without decoding them.

Each latent token stands for a square of the image. The colors of a square are nearly a linear function of its token;
that function is fitted once, on an image of random colors that the model's own encoder turns into tokens.
"""

from __future__ import annotations

import io
from typing import Any

FIT_SQUARES_PER_SIDE = 16
"""Of the image that is fitted on: enough for the 64 or 128 numbers of a token."""

RIDGE_PENALTY = 1e-3
"""Preference of small weights over a better fit."""

JPEG_QUALITY = 80


class LatentPreviewer:
    def __init__(self, torch: Any, pipe: Any) -> None:
        self._torch = torch
        self._weights = self._fitted(pipe)

    def preview(self, tokens: Any, width: int, height: int) -> bytes:
        """Return the image of these tokens as a small JPEG; `width` and `height` are those of the full image."""
        from PIL import Image

        torch = self._torch
        rows, columns = height // self._square, width // self._square
        flat = tokens[0].detach().to("cpu", torch.float32)
        colors = _with_one(torch, flat) @ self._weights
        grid = colors.reshape(rows, columns, 2, 2, 3).permute(0, 2, 1, 3, 4).reshape(rows * 2, columns * 2, 3)
        pixels = ((grid.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=JPEG_QUALITY)
        return out.getvalue()

    def _fitted(self, pipe: Any) -> Any:
        torch, vae = self._torch, pipe.vae
        scale = int(pipe.vae_scale_factor)
        self._square = 2 * scale
        colors = (
            torch.rand(
                1, 3, FIT_SQUARES_PER_SIDE * 2, FIT_SQUARES_PER_SIDE * 2, generator=torch.Generator().manual_seed(1)
            )
            * 2
            - 1
        )
        smooth = torch.nn.functional.interpolate(colors, scale_factor=scale, mode="bilinear")
        seen = torch.nn.functional.avg_pool2d(smooth, scale)
        with torch.no_grad():
            latents = vae.encode(smooth.to(pipe._execution_device, vae.dtype))
            tokens = pack(normalize(torch, vae, latents.latent_dist.mode()))[0].to("cpu", torch.float32)
        wanted = pack(seen)[0].reshape(-1, 3, 4).transpose(1, 2).reshape(-1, 12)
        known = _with_one(torch, tokens)
        square = known.T @ known + RIDGE_PENALTY * len(known) * torch.eye(known.shape[1])
        return torch.linalg.solve(square, known.T @ wanted)


def normalize(torch: Any, vae: Any, latents: Any) -> Any:
    """Scale the encoder's output to what the model works on."""
    if not hasattr(vae, "bn"):
        return (latents - vae.config.shift_factor) * vae.config.scaling_factor
    batch, channels, height, width = latents.shape
    mean = vae.bn.running_mean.reshape(1, channels, 1, 2, 1, 2).to(latents)
    spread = torch.sqrt(vae.bn.running_var + vae.config.batch_norm_eps).reshape(1, channels, 1, 2, 1, 2).to(latents)
    squares = latents.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return ((squares - mean) / spread).reshape(batch, channels, height, width)


def pack(latents: Any) -> Any:
    """Pack squares of two by two as tokens: (batch, channels, height, width) to (batch, squares, channels × 4)."""
    batch, channels, height, width = latents.shape
    squares = latents.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return squares.permute(0, 2, 4, 1, 3, 5).reshape(batch, (height // 2) * (width // 2), channels * 4)


def _with_one(torch: Any, rows: Any) -> Any:
    return torch.cat([rows, torch.ones(len(rows), 1)], dim=1)

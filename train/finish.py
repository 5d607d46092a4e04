"""Trains the last touch for so many minutes, after `train.py`.

    nice -n 19 python train/finish.py --minutes 12

It learns from pictures that the flow has made out of real ones under noise, beside those real ones. These are made
first. The checkpoint is `train/made/finish.pt`.
"""

from __future__ import annotations

import argparse
import copy
import time

import numpy as np
import torch
from grid import load, pixels
from model import Finish
from torch import Tensor
from train import WORK, Samples, save, sketched

STEPS = 3
GUIDANCE = 1.6


@torch.no_grad()
def made(number: int, batch: int = 100) -> tuple[Tensor, Tensor]:
    """Pictures of the flow and those they should be, as bytes (n, 3, 128, 128)."""
    flow, sketch, _ = load()
    samples = Samples(77)
    found: list[Tensor] = []
    wanted: list[Tensor] = []
    for _ in range(number // batch):
        tokens, prompts, words, which = samples.draw_with(batch)
        ideas = sketched(sketch, prompts, words)
        start = torch.rand(batch, 1, 1) * 0.4 + 0.2
        x = start * tokens + (1 - start) * torch.randn_like(tokens)
        for step in range(STEPS):
            t, after = start + (1 - start) * step / STEPS, start + (1 - start) * (step + 1) / STEPS
            with torch.autocast("cpu", torch.bfloat16):
                seen = flow(x, t.flatten(), prompts, words, ideas).float()
                without = flow(x, t.flatten(), 0 * prompts, 0 * words, 0 * ideas).float()
            seen = without + GUIDANCE * (seen - without)
            x = x + (seen - x) * ((after - t) / (1 - t))
        found.append(pixels(x))
        wanted.append(which)
    originals = np.load(WORK / "pictures.npy", mmap_mode="r")[torch.cat(wanted).numpy()]
    return torch.cat(found), torch.from_numpy(originals).permute(0, 3, 1, 2)


def loss(found: Tensor, wanted: Tensor) -> Tensor:
    """How far colours are off, and edges."""
    across = (found - wanted).diff(dim=3).abs().mean() + (found - wanted).diff(dim=2).abs().mean()
    return (found - wanted).abs().mean() + across


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--pictures", type=int, default=2500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--pace", type=float, default=1e-3)
    options = parser.parse_args()
    torch.set_num_threads(2)
    begun = shown = time.time()
    bank = WORK / "bank.pt"
    if not bank.exists():
        torch.save(made(options.pictures), bank)
    rough, real = torch.load(bank, weights_only=True)
    print(
        f"{len(rough)} pictures after {time.time() - begun:.0f} s, rough by {loss(*_some(rough, real, 64)):.4f}",
        flush=True,
    )
    finish = Finish().to(memory_format=torch.channels_last)
    ema = copy.deepcopy(finish)
    optimiser = torch.optim.AdamW(finish.parameters(), lr=options.pace, weight_decay=0.0, fused=True)
    step, total, count = 0, 0.0, 0
    while (now := time.time()) < begun + options.minutes * 60:
        left = 1 - (now - begun) / (options.minutes * 60)
        for group in optimiser.param_groups:
            group["lr"] = options.pace * min(1.0, (step + 1) / 30) * min(1.0, left / 0.5 + 0.02)
        found, wanted = _some(rough, real, options.batch)
        with torch.autocast("cpu", torch.bfloat16):
            better = finish(found.contiguous(memory_format=torch.channels_last))
        much = loss(better.float(), wanted)
        much.backward()
        optimiser.step()
        optimiser.zero_grad()
        step, total, count = step + 1, total + much.item(), count + 1
        keep = min(0.99, (1 + step) / (10 + step))
        torch._foreach_lerp_([p.data for p in ema.parameters()], [p.data for p in finish.parameters()], 1 - keep)
        if now - shown > 20:
            print(f"step {step}: loss {total / count:.4f}", flush=True)
            save(WORK / "finish.pt", finish=ema.state_dict(), step=step)
            shown, total, count = now, 0.0, 0
    save(WORK / "finish.pt", finish=ema.state_dict(), step=step)


def _some(rough: Tensor, real: Tensor, n: int) -> tuple[Tensor, Tensor]:
    at = torch.randint(len(rough), (n,))
    found, wanted = rough[at].float() / 127.5 - 1, real[at].float() / 127.5 - 1
    return (found.flip(3), wanted.flip(3)) if torch.rand(1) < 0.5 else (found, wanted)


if __name__ == "__main__":
    main()

"""Trains the sketch for so many minutes, after `data.py` and before `train.py`; started again it goes on.

    nice -n 19 python train/sketch.py --minutes 10

The checkpoint is `train/made/sketch.pt`.
"""

from __future__ import annotations

import argparse
import copy
import time

import numpy as np
import torch
from model import TOKEN, TOKENS, Sketch
from train import WORK, Samples, save

EVERY = 60.0


def begun() -> Sketch:
    """A sketch whose last layer is the mean and the principal parts of whole pictures, each of spread 1."""
    sketch = Sketch()
    pictures = torch.from_numpy(np.load(WORK / "tokens.npy").astype(np.float32).reshape(-1, TOKENS * TOKEN))
    mean = pictures.mean(0)
    width = sketch.leave.weight.shape[1]
    _, spread, parts = torch.svd_lowrank(pictures - mean, q=width, niter=1)
    with torch.no_grad():
        sketch.leave.bias.copy_(mean)
        sketch.leave.weight.copy_(parts * spread / len(pictures) ** 0.5)
        sketch.enter.weight.mul_(0.3)
    return sketch


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--pace", type=float, default=1e-3)
    options = parser.parse_args()
    torch.set_num_threads(2)
    path = WORK / "sketch.pt"
    sketch = Sketch() if path.exists() else begun()
    ema = copy.deepcopy(sketch)
    optimiser = torch.optim.AdamW(sketch.parameters(), lr=options.pace, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    step = 0
    if path.exists():
        state = torch.load(path, weights_only=True)
        sketch.load_state_dict(state["sketch"])
        ema.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
    samples = Samples(1000 + step)
    start = saved = shown = time.time()
    total, count = 0.0, 0
    while (now := time.time()) < start + options.minutes * 60:
        left = 1 - (now - start) / (options.minutes * 60)
        for group in optimiser.param_groups:
            group["lr"] = options.pace * min(1.0, (step + 1) / 50) * min(1.0, left / 0.4 + 0.02)
        tokens, prompts, words = samples.draw(options.batch)
        noise = 0.15
        prompts, words = prompts + noise * torch.randn_like(prompts), words + noise * torch.randn_like(words)
        with torch.autocast("cpu", torch.bfloat16):
            found = sketch(prompts, words)
        loss = (found.float() - tokens).square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        step, total, count = step + 1, total + loss.item(), count + 1
        keep = min(0.995, (1 + step) / (10 + step))
        torch._foreach_lerp_([p.data for p in ema.parameters()], [p.data for p in sketch.parameters()], 1 - keep)
        if now - shown > 15:
            print(f"step {step}: loss {total / count:.4f}, {time.process_time():.0f} cpu s", flush=True)
            shown, total, count = now, 0.0, 0
        if now - saved > EVERY:
            save(path, sketch=sketch.state_dict(), ema=ema.state_dict(), optimiser=optimiser.state_dict(), step=step)
            saved = now
    save(path, sketch=sketch.state_dict(), ema=ema.state_dict(), optimiser=optimiser.state_dict(), step=step)


if __name__ == "__main__":
    main()

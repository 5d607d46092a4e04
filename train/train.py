"""Trains the flow until a time of day; started again, it goes on where the last checkpoint was.

    nice -n 19 python train/train.py --until 16:15

A step mixes a picture with noise, x(t) = t * picture + (1 - t) * noise, and the network says what the picture is. Its
pace falls over the last third of the time. Checkpoints go to `train/made/flow.pt`, figures to `train/made/log.jsonl`.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from model import VECTOR, Flow, Sketch
from torch import Tensor

WORK = Path(__file__).parent / "made"
EVERY = 150.0
"""Seconds between checkpoints."""

COLOURED = 0.4
"""Share of samples that are pictures in another colour, where there are such."""


class Samples:
    """Captions drawn by their share, things all alike, each with its picture's tokens."""

    def __init__(self, seed: int) -> None:
        captions = np.load(WORK / "captions.npz")
        whose: list[tuple[int, str]] = json.loads((WORK / "concepts.json").read_text())["whose"]
        self._tokens = np.load(WORK / "tokens.npy")
        self._first = captions["first"]
        self._picture, self._text, self._shown = captions["picture"], captions["text"], captions["words"]
        self.look()
        total = np.bincount(self._picture, captions["share"], len(whose))
        concept = np.array([at for at, _ in whose])
        coloured = np.array([colour != "" for _, colour in whose])
        counts = np.bincount(concept[coloured], minlength=concept.max() + 1)[concept]
        weight = np.where(coloured, COLOURED / np.maximum(counts, 1), np.where(counts > 0, 1 - COLOURED, 1.0))
        shares = captions["share"] / total[self._picture] * weight[self._picture]
        self._ends = np.cumsum(shares / shares.sum())
        self._rng = np.random.default_rng(seed)

    def look(self) -> None:
        """Read the vectors that there are by now."""
        labels, single = self._first
        raw = np.fromfile(WORK / "vectors.f32", np.float32)
        vectors = raw[: len(raw) // VECTOR * VECTOR].reshape(-1, VECTOR)
        path = WORK / "norm.npz"
        if not path.exists():
            some = (vectors[:labels], vectors[labels : labels + single])
            np.savez(path, centres=[each.mean(0) for each in some], spreads=[each.std(0) + 1e-4 for each in some])
        norm = np.load(path)
        part = ((np.arange(len(vectors)) >= labels) & (np.arange(len(vectors)) < labels + single)).astype(int)
        found = (vectors - norm["centres"][part]) / norm["spreads"][part]
        total = max(self._text.max(), self._shown.max()) + 2  # the last one is that of nothing
        self._vectors = np.zeros((total, VECTOR), np.float16)
        self._vectors[: len(found)] = found
        self._there = np.arange(total) < len(found)

    def __len__(self) -> int:
        return len(self._tokens)

    def draw(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens, prompts and words of `n` samples; some are without prompt, words or both."""
        return self.draw_with(n)[:3]

    def draw_with(self, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """And the numbers of their pictures."""
        at = np.searchsorted(self._ends, self._rng.random(n)).clip(0, len(self._ends) - 1)
        lot = self._rng.random(n)
        there = self._there[self._text[at]]
        prompts = self._vectors[self._text[at]].astype(np.float32) * (lot > 0.2)[:, None]
        words = self._vectors[self._shown[at]].astype(np.float32)
        words *= ((lot > 0.1) & ((lot < 0.2) | (lot > 0.35) | ~there))[:, None, None]
        tokens = self._tokens[self._picture[at]].astype(np.float32)
        which = torch.from_numpy(self._picture[at])
        return torch.from_numpy(tokens), torch.from_numpy(prompts), torch.from_numpy(words), which


@torch.no_grad()
def sketched(sketch: Sketch, prompts: Tensor, words: Tensor) -> Tensor:
    """Sketches as poor as they are for prompts that are new: of words half heard, mixed with others, noisy; some are
    left out."""
    n = len(prompts)
    poor = (torch.rand(n) > 0.25).float()[:, None, None]
    unheard = poor * torch.rand(n, 1, 1)
    with torch.autocast("cpu", torch.bfloat16):
        found = sketch(
            prompts + unheard[:, 0] * torch.randn_like(prompts), words + unheard * torch.randn_like(words)
        ).float()
    mixed = poor * torch.rand(n, 1, 1) * 0.25
    found = (1 - mixed) * found + mixed * found.roll(1, 0)
    found = found + poor * torch.rand(n, 1, 1) * 0.3 * torch.randn_like(found)
    asked = (prompts.abs().sum(1) + words.abs().sum((1, 2)) > 0) & (torch.rand(n) > 0.08)
    return found * asked[:, None, None]


def loss(flow: Any, sketch: Sketch, samples: Samples, n: int) -> Tensor:
    tokens, prompts, words = samples.draw(n)
    times = torch.sigmoid(torch.randn(n) * 1.2 - 0.6)
    at = times[:, None, None]
    noisy = at * tokens + (1 - at) * torch.randn_like(tokens)
    with torch.autocast("cpu", torch.bfloat16):
        found = flow(noisy, times, prompts, words, sketched(sketch, prompts, words))
    weight = 1 / (1 - times + 0.15)
    return ((found.float() - tokens).square().mean((1, 2)) * weight).mean()


def optimisers(flow: Flow, pace: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for all else."""
    inner = [
        p for name, p in flow.named_parameters() if name.startswith("blocks") and p.ndim == 2 and "steer" not in name
    ]
    ids = {id(p) for p in inner}
    rest = [p for p in flow.parameters() if id(p) not in ids]
    return [
        torch.optim.Muon(inner, lr=2 * pace, weight_decay=0.01, adjust_lr_fn="match_rms_adamw", ns_steps=4),
        torch.optim.AdamW(rest, lr=pace, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


def save(path: Path, **what: Any) -> None:
    torch.save(what, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--until", required=True, help="time of day, HH:MM, at which to stop")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--pace", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="fuse with a C++ compiler")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = datetime.strptime(options.until, "%H:%M").time()
    end = datetime.combine(datetime.now().date(), clock).timestamp()
    path = WORK / "flow.pt"
    flow, sketch = Flow(), Sketch()
    sketch.load_state_dict(torch.load(WORK / "sketch.pt", weights_only=True)["ema"])
    ema = copy.deepcopy(flow)
    chosen = optimisers(flow, options.pace)
    step, seen, begun = 0, 0, time.time()
    if path.exists():
        state = torch.load(path, weights_only=True)
        flow.load_state_dict(state["flow"])
        ema.load_state_dict(state["ema"])
        for optimiser, kept in zip(chosen, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        step, seen, begun = state["step"], state["seen"], state["begun"]
    for optimiser, pace in zip(chosen, (2 * options.pace, options.pace), strict=True):
        for group in optimiser.param_groups:
            group["full"] = pace
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    samples = Samples(step)
    run = torch.compile(flow, dynamic=False) if options.compile else flow
    print(f"{sum(p.numel() for p in flow.parameters()) / 1e6:.1f}M parameters, {len(samples)} pictures", flush=True)
    saved = shown = time.time()
    total, count = 0.0, 0
    while (now := time.time()) < end and not stopped:
        left = (end - now) / (end - begun)
        for optimiser in chosen:
            for group in optimiser.param_groups:
                group["lr"] = group["full"] * min(1.0, (step + 1) / 60) * min(1.0, left / 0.35 + 0.02)
        found = loss(run, sketch, samples, options.batch)
        found.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        for optimiser in chosen:
            optimiser.step()
            optimiser.zero_grad()
        step, seen = step + 1, seen + options.batch
        keep = min(0.998, (1 + step) / (12 + step))
        torch._foreach_lerp_([p.data for p in ema.parameters()], [p.data for p in flow.parameters()], 1 - keep)
        total, count = total + found.item(), count + 1
        if now - shown > 30:
            line = {
                "step": step,
                "seen": seen,
                "loss": round(total / count, 4),
                "minutes": round((now - begun) / 60, 1),
            }
            line["cpu_s"] = round(time.process_time(), 1)
            with (WORK / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            print(line, flush=True)
            shown, total, count = now, 0.0, 0
        if now - saved > EVERY:
            states = [optimiser.state_dict() for optimiser in chosen]
            save(
                path, flow=flow.state_dict(), ema=ema.state_dict(), optimisers=states, step=step, seen=seen, begun=begun
            )
            saved = now
            samples.look()
    states = [optimiser.state_dict() for optimiser in chosen]
    save(path, flow=flow.state_dict(), ema=ema.state_dict(), optimisers=states, step=step, seen=seen, begun=begun)


if __name__ == "__main__":
    main()

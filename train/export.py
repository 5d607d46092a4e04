"""Writes the trained sketch and flow as one ONNX file with 8-bit weights, for Éclair to draw with.

    python train/export.py src/eclair/pictures/icons/weights.onnx

The network in it takes one step of Euler's method with guidance, and makes of what it sees a picture besides:

    x (1, 16, 256), time (1), after (1), guidance (1), prompt (1, 384), words (n, 384)  ->  next (1, 16, 256),
    picture (128, 128, 3) from 0 to 255

`prompt` and `words` are vectors as the embedder gives them, `words` four of them where zeros stand for none.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from grid import finish, load
from model import PATCH, SIDE, TOKEN, TOKENS, VECTOR, WORDS, Flow, Sketch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

WORK = Path(__file__).parent / "made"


class Step(nn.Module):
    def __init__(self, flow: Flow, sketch: Sketch) -> None:
        super().__init__()
        self.flow, self.sketch, self.finish = flow, sketch, finish()
        basis, kept = np.load(WORK / "basis.npz"), np.load(WORK / "norm.npz")
        self.register_buffer("up", torch.from_numpy(basis["up"]))
        self.register_buffer("mean", torch.from_numpy(basis["mean"]))
        self.register_buffer("centres", torch.from_numpy(kept["centres"]).float())
        self.register_buffer("spreads", torch.from_numpy(1 / kept["spreads"]).float())

    def forward(
        self, x: Tensor, time: Tensor, after: Tensor, guidance: Tensor, prompt: Tensor, words: Tensor
    ) -> tuple[Tensor, Tensor]:
        whole = (prompt - self.centres[0]) * self.spreads[0]
        there = (words.square().sum(-1, keepdim=True) > 0).float()
        single = ((words - self.centres[1]) * self.spreads[1] * there)[None]
        idea = self.sketch(whole, single)
        found = self.flow(
            torch.cat((x, x)),
            torch.cat((time, time)),
            torch.cat((whole, torch.zeros_like(whole))),
            torch.cat((single, torch.zeros_like(single))),
            torch.cat((idea, torch.zeros_like(idea))),
        )
        seen = found[1:] + guidance * (found[:1] - found[1:])
        k = SIDE // PATCH
        cut = (seen[0] @ self.up + self.mean).reshape(k, k, PATCH, PATCH, 3).permute(4, 0, 2, 1, 3)
        done = self.finish(cut.reshape(1, 3, SIDE, SIDE).clamp(-1, 1))[0].permute(1, 2, 0)
        picture = (done * 127.5 + 127.5).clamp(0, 255)
        return x + (seen - x) * ((after - time) / (1 - time)), picture


def narrowed(model: onnx.ModelProto) -> None:
    """Keep matrices in 8 bits with a scale for each row; the runtime widens them once, when it loads them."""
    graph = model.graph
    nodes: list[onnx.NodeProto] = []
    for at, weight in enumerate(list(graph.initializer)):
        if weight.data_type != TensorProto.FLOAT or len(weight.dims) != 2 or int(np.prod(weight.dims)) < 10_000:
            continue
        values = numpy_helper.to_array(weight)
        half = min(weight.dims) < 300 and max(weight.dims) > 3000  # the basis, which makes the pixels
        scale = np.ones((1, 1)) if half else np.abs(values).max(1, keepdims=True) / 127 + 1e-12
        small = values.astype(np.float16) if half else np.rint(values / scale).astype(np.int8)
        graph.initializer.remove(weight)
        graph.initializer.append(numpy_helper.from_array(small, f"small.{at}"))
        graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"scale.{at}"))
        nodes.append(
            helper.make_node("Cast", [f"small.{at}"], [f"wide.{at}"], to=TensorProto.FLOAT, name=f"widen.{at}")
        )
        nodes.append(helper.make_node("Mul", [f"wide.{at}", f"scale.{at}"], [weight.name], name=f"scale.{at}"))
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)


def main() -> None:
    out = Path(sys.argv[1])
    flow, sketch, step = load()
    inputs = (
        torch.zeros(1, TOKENS, TOKEN),
        torch.zeros(1),
        torch.full((1,), 0.1),
        torch.full((1,), 2.0),
        torch.zeros(1, VECTOR),
        torch.zeros(WORDS, VECTOR),
    )
    names = ["x", "time", "after", "guidance", "prompt", "words"]
    program = torch.onnx.export(
        Step(flow, sketch).eval(),
        inputs,
        input_names=names,
        output_names=["next", "picture"],
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    narrowed(model)
    model.doc_string = f"Éclair icons: a flow of {step} training steps."
    onnx.checker.check_model(model)
    for each in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del each.metadata_props[:]  # where on this disk it was written
        each.doc_string = ""
    onnx.save(model, str(out))
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

"""Builds the encoder (BERT, arXiv:1810.04805) as ONNX, with matrices of eight bits or, for values, of four.

It takes the vectors of one text's tokens with their positions, and returns the mean of its output. Eight-bit matrices
have one scale a row, which takes 0.6 of the time of four-bit ones with a scale every 32 weights. The values of the
attention stay as they are stored, since nothing evens out their rounding.
"""

from __future__ import annotations

import numpy as np

from eclair.documents.e5.weights import WEIGHTS_PER_BLOCK, EncoderWeights
from eclair.util.onnx_writer import ONNXRUNTIME_DOMAIN, OnnxGraph

INT8_ACCURACY_LEVEL = 4
"""onnxruntime multiplies in eight bits, with the vectors in blocks like the weights."""
MAX_WEIGHT, MAX_PAIR = 127, 128
"""Largest eight-bit weight, and sum of two neighbors: processors without VNNI add up products by pairs in 16 bits, with
vectors of up to 255."""


def build_network(weights: EncoderWeights) -> bytes:
    """Build all but the embedding table, of which a text needs few rows. Raises UnreadableWeights."""
    return _Builder(weights).build()


class _Builder:
    def __init__(self, weights: EncoderWeights) -> None:
        self._weights = weights
        self._network = OnnxGraph()

    def build(self) -> bytes:
        net, sizes = self._network, self._weights.sizes
        norm = [self._floats("emb.ln.w"), self._floats("emb.ln.b")]
        at = net.add("LayerNormalization", ["tokens", *norm], axis=2, epsilon=sizes.epsilon)
        for number in range(sizes.layers):
            at = self._layer(at, f"l{number}")
        mean = net.add("ReduceMean", [at], axes=[1], keepdims=0)
        return net.serialize(("tokens", ("texts", "length", sizes.width)), (mean, ("texts", sizes.width)))

    def _layer(self, start: str, name: str) -> str:
        net, width, inner = self._network, self._weights.sizes.width, self._weights.sizes.inner
        largest, even = self._even(start)
        query = self._times(even, largest, f"{name}.q", width, width)
        key = self._times(even, largest, f"{name}.k", width, width)
        value = self._times_blocks(start, f"{name}.v", width, width)
        heads = self._weights.sizes.heads
        seen = net.add("MultiHeadAttention", [query, key, value], domain=ONNXRUNTIME_DOMAIN, num_heads=heads)
        largest, even = self._even(seen)
        at = self._normal(self._times(even, largest, f"{name}.ao", width, width), start, f"{name}.aln")
        largest, even = self._even(at)
        inside = self._times(even, largest, f"{name}.fi", inner, width)
        largest, even = self._even(net.add("Gelu", [inside], domain=ONNXRUNTIME_DOMAIN))
        return self._normal(self._times(even, largest, f"{name}.fo", width, inner), at, f"{name}.oln")

    def _even(self, at: str) -> tuple[str, str]:
        """Return each token's largest number, and the tokens divided by it, since some are far larger than others."""
        largest = self._network.add("ReduceMax", [self._network.add("Abs", [at])], axes=[2], keepdims=1)
        return largest, self._network.add("Div", [at, largest])

    def _times(self, even: str, largest: str, name: str, rows: int, columns: int) -> str:
        """Multiply by a matrix of that many rows and columns in eight bits, and add its bias."""
        scales, halves = self._weights.blocks(f"{name}.w", rows, columns)
        single = np.concatenate([halves & 15, halves >> 4], axis=-1).astype(np.float32) - 8
        weights = (single * scales.astype(np.float32)[..., None]).reshape(rows, columns).T
        pairs = np.abs(weights[0::2] + weights[1::2]).max(axis=0)
        steps = np.maximum(np.abs(weights).max(axis=0) / MAX_WEIGHT, pairs / MAX_PAIR)
        net = self._network
        inputs = [
            even,
            net.add_tensor(f"{name}.w", np.rint(weights / steps).astype(np.int8)),
            net.add_tensor(f"{name}.scales", steps),
        ]
        product = net.add("DynamicQuantizeMatMul", inputs, domain=ONNXRUNTIME_DOMAIN)
        return net.add("Add", [net.add("Mul", [product, largest]), self._floats(f"{name}.b")])

    def _times_blocks(self, at: str, name: str, rows: int, columns: int) -> str:
        """Multiply by a matrix in its blocks of four bits, and add its bias."""
        scales, halves = self._weights.blocks(f"{name}.w", rows, columns)
        single = np.concatenate([halves & 15, halves >> 4], axis=-1)
        packed = single[..., 0::2] | single[..., 1::2] << 4  # neighbors share a byte there
        inputs = [
            at,
            self._network.add_tensor(f"{name}.w", packed.astype(np.uint8)),
            self._network.add_tensor(f"{name}.scales", scales.astype(np.float32).reshape(-1)),
            "",
            "",
            self._floats(f"{name}.b"),
        ]
        form = {
            "K": columns,
            "N": rows,
            "bits": 4,
            "block_size": WEIGHTS_PER_BLOCK,
            "accuracy_level": INT8_ACCURACY_LEVEL,
        }
        return self._network.add("MatMulNBits", inputs, domain=ONNXRUNTIME_DOMAIN, **form)

    def _normal(self, at: str, before: str, name: str) -> str:
        inputs = [at, before, self._floats(f"{name}.w"), self._floats(f"{name}.b")]
        return self._network.add(
            "SkipLayerNormalization", inputs, domain=ONNXRUNTIME_DOMAIN, epsilon=self._weights.sizes.epsilon
        )

    def _floats(self, name: str) -> str:
        return self._network.add_tensor(name, self._weights.floats(name))

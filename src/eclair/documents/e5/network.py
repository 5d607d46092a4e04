"""Builds the encoder (BERT, arXiv:1810.04805) as ONNX with four-bit matrices.

It takes the vectors of one text's tokens with their positions, and returns the mean of its output.
"""

from __future__ import annotations

import numpy as np

from eclair.documents.e5.weights import WEIGHTS_PER_BLOCK, EncoderWeights
from eclair.util.onnx_writer import ONNXRUNTIME_DOMAIN, OnnxGraph

INT8_ACCURACY_LEVEL = 4
"""onnxruntime multiplies in eight bits, with the vectors in blocks like the weights."""


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
        net, sizes = self._network, self._weights.sizes
        parts = [self._times(start, f"{name}.{part}", sizes.width, sizes.width) for part in ("q", "k", "v")]
        seen = net.add("MultiHeadAttention", parts, domain=ONNXRUNTIME_DOMAIN, num_heads=sizes.heads)
        at = self._normal(self._times(seen, f"{name}.ao", sizes.width, sizes.width), start, f"{name}.aln")
        inner = net.add("Gelu", [self._times(at, f"{name}.fi", sizes.inner, sizes.width)], domain=ONNXRUNTIME_DOMAIN)
        return self._normal(self._times(inner, f"{name}.fo", sizes.width, sizes.inner), at, f"{name}.oln")

    def _times(self, at: str, name: str, rows: int, columns: int) -> str:
        """Multiply by a matrix of that many rows and columns, and add its bias."""
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

"""Builds EfficientNet-lite2 (Tan and Le, 2019) from weights.

It takes one picture of 260 × 260 pixels, red, green and blue from -1 to 1, and returns a share for each of 1,000
labels.
"""

from __future__ import annotations

import numpy as np

from eclair.documents.photos.classifier.torch_weights import UnreadableTorchWeights, WeightArrays
from eclair.util.onnx_writer import OnnxGraph

INPUT_SIDE_PX = 260
LABEL_COUNT = 1000
EPSILON = 1e-3
BLOCK_GROUPS = ((1, 1), (3, 2), (3, 2), (4, 2), (4, 1), (5, 2), (1, 1))
"""Number of blocks in each group, and the stride of the first."""


def build_network(weights: WeightArrays) -> bytes:
    """Return the network as ONNX. Raises UnreadableTorchWeights for the weights of another network."""
    try:
        return _Builder(weights).build()
    except (KeyError, ValueError) as error:
        raise UnreadableTorchWeights(f"these are the weights of another network ({error})") from error


class _Builder:
    def __init__(self, weights: WeightArrays) -> None:
        self._weights = weights
        self._network = OnnxGraph()

    def build(self) -> bytes:
        net = self._network
        at = self._convolve("picture", "_conv_stem", "_bn0", stride=2, active=True)
        number = 0
        for times, stride in BLOCK_GROUPS:
            for time in range(times):
                at = self._block(at, f"_blocks.{number}", stride if time == 0 else 1)
                number += 1
        if f"_blocks.{number}._project_conv.weight" in self._weights:
            raise ValueError("it has more blocks")
        at = self._convolve(at, "_conv_head", "_bn1", active=True)
        at = net.add("Flatten", [net.add("GlobalAveragePool", [at])])
        matrix = net.add_tensor("classes", self._weights["_fc.weight"])
        at = net.add("Gemm", [at, matrix, net.add_tensor("bias", self._weights["_fc.bias"])], transB=1)
        shares = net.add("Softmax", [at], axis=1)
        return net.serialize(("picture", (1, 3, INPUT_SIDE_PX, INPUT_SIDE_PX)), (shares, (1, LABEL_COUNT)))

    def _block(self, start: str, name: str, stride: int) -> str:
        at = start
        if f"{name}._expand_conv.weight" in self._weights:
            at = self._convolve(at, f"{name}._expand_conv", f"{name}._bn0", active=True)
        at = self._convolve(at, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, active=True, deep=True)
        at = self._convolve(at, f"{name}._project_conv", f"{name}._bn2")
        first = self._weights.get(f"{name}._expand_conv.weight", self._weights[f"{name}._depthwise_conv.weight"])
        came = first.shape[1] if f"{name}._expand_conv.weight" in self._weights else first.shape[0]
        same = stride == 1 and came == self._weights[f"{name}._project_conv.weight"].shape[0]
        return self._network.add("Add", [at, start]) if same else at

    def _convolve(
        self, start: str, name: str, norm: str, *, stride: int = 1, active: bool = False, deep: bool = False
    ) -> str:
        """Fold a convolution and the normalization after it into one."""
        net, kernel = self._network, self._weights[f"{name}.weight"]
        scale, shift, mean, spread = (
            self._weights[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = (scale / np.sqrt(spread + EPSILON)).astype(np.float32)
        inputs = [
            start,
            net.add_tensor(f"{name}.weight", kernel * factor[:, None, None, None]),
            net.add_tensor(f"{name}.bias", (shift - mean * factor).astype(np.float32)),
        ]
        group = kernel.shape[0] if deep else 1
        at = net.add("Conv", inputs, strides=[stride, stride], group=group, auto_pad="SAME_UPPER")
        if not active:
            return at
        low, high = (net.add_tensor(f"{at}.{end}", np.array(end, np.float32)) for end in (0, 6))
        return net.add("Clip", [at, low, high])

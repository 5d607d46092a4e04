"""The network that labels photos: fetched as a package's weights, and rewritten for onnxruntime."""

from __future__ import annotations

from pathlib import Path


def classifier_file(data_dir: Path) -> Path:
    """Return the network's file, once it has been fetched."""
    return data_dir / "models" / "efficientnet-lite2.onnx"

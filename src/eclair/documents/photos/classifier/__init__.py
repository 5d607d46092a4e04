"""The model that names what is in photos: fetched as a package's weights, and rewritten so that onnxruntime runs it."""

from __future__ import annotations

from pathlib import Path


def labels_file(data_dir: Path) -> Path:
    """Where the network is, once it was fetched."""
    return data_dir / "models" / "efficientnet-lite2.onnx"

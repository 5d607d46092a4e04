"""The photo classifier: downloaded weights, converted to ONNX."""

from __future__ import annotations

from pathlib import Path


def classifier_file(data_dir: Path) -> Path:
    """Return the network's file, once it has been fetched."""
    return data_dir / "models" / "efficientnet-lite2.onnx"

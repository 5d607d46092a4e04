"""Prints the manifests of the Helm chart with its usual values, for `deploy/kubernetes/eclair.yaml`."""

from __future__ import annotations

import sys
from pathlib import Path

import helm_python

CHART = Path(__file__).parent / "eclair"
HEAD = "# Éclair on Kubernetes without Helm; written by deploy/helm/render.py. Change image and address first.\n"


def main() -> None:
    chart = helm_python.Chart.load(str(CHART))
    try:
        texts = chart.render(name="eclair", namespace="eclair")
    finally:
        chart.close()
    manifests = [text.strip() for path, text in sorted(texts.items()) if path.endswith(".yaml") and text.strip()]
    sys.stdout.write(HEAD + "\n---\n".join(manifests) + "\n")


if __name__ == "__main__":
    main()

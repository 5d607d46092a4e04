"""Embeds texts one at a time; threads may share an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as _untyped  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from eclair.documents.e5.network import build_network
from eclair.documents.e5.tokens import Tokenizer
from eclair.documents.e5.weights import EncoderWeights

onnxruntime: Any = _untyped


class Encoder:
    """Runs the network. Raises UnreadableWeights where the file is not an encoder."""

    def __init__(self, path: Path) -> None:
        weights = EncoderWeights(path)
        sizes = weights.sizes
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # who calls has its own threads
        options.log_severity_level = 3
        made = build_network(weights)
        self._session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
        self.tokens = Tokenizer(weights.vocabulary)
        self._ends = weights.vocabulary.begin, weights.vocabulary.end
        self._scales, self._halves = weights.blocks("emb.word", sizes.words, sizes.width)
        places = weights.floats("emb.pos").reshape(sizes.max_tokens, sizes.width)
        self._places = places + weights.floats("emb.type")[: sizes.width]
        self._room = sizes.max_tokens - 2

    def embed(self, texts: Sequence[str], prefix: str) -> NDArray[np.float32]:
        """Return a unit vector for each text, with the prefix before it.

        A text longer than the encoder's input gets the mean of its parts, weighted by their length.
        """
        return self.embed_tokens([self.tokens.encode(prefix + text) for text in texts])

    def embed_tokens(self, texts: Sequence[list[int]]) -> NDArray[np.float32]:
        """Return a unit vector for each text, given as its tokens; see `embed`."""
        vectors = [self._vector(tokens) for tokens in texts]
        return np.stack(vectors) if vectors else np.zeros((0, self._places.shape[1]), np.float32)

    def _vector(self, tokens: list[int]) -> NDArray[np.float32]:
        parts = [tokens[at : at + self._room] for at in range(0, max(1, len(tokens)), self._room)]
        mean = np.average([self._mean(part) for part in parts], axis=0, weights=[max(1, len(part)) for part in parts])
        return (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)

    def _mean(self, tokens: list[int]) -> NDArray[np.float32]:
        begin, end = self._ends
        rows = np.array([begin, *tokens, end])
        halves = self._halves[rows]
        single = np.concatenate([halves & 15, halves >> 4], axis=-1).astype(np.float32) - 8
        words = (single * self._scales[rows].astype(np.float32)[..., None]).reshape(len(rows), -1)
        found: NDArray[np.float32] = self._session.run(None, {"tokens": (words + self._places[: len(rows)])[None]})[0]
        return found[0]

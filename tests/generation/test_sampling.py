"""Sampling: the request goes before the makers' advice, and that before the settings."""

from __future__ import annotations

from eclair.generation.sampling import resolve_sampling
from eclair.schema.messages import Sampling


def test_what_was_asked_for_comes_before_the_makers_and_the_settings() -> None:
    assert resolve_sampling(Sampling(), Sampling(), 100) == Sampling(max_tokens=100)
    assert resolve_sampling(Sampling(), Sampling(0.6, 0.9, 50), 100) == Sampling(0.6, 0.9, 50)
    small = Sampling(0.2, repeat_penalty=1.1)
    assert resolve_sampling(Sampling(), small, 100).repeat_penalty == 1.1
    assert resolve_sampling(Sampling(0.0), small, 100).repeat_penalty is None
    assert resolve_sampling(Sampling(0.0, 0.1, 5, 7, ("x",)), Sampling(0.6, 0.9, 50), 100) == Sampling(
        0.0, 0.1, 5, 7, ("x",)
    )

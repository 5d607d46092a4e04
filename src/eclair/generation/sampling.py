"""Resolves sampling parameters: request, then model's makers, then settings."""

from __future__ import annotations

from dataclasses import replace

from eclair.schema.messages import Sampling


def resolve_sampling(asked: Sampling, recommended: Sampling, max_tokens: int | None) -> Sampling:
    """Fill in what `asked` leaves open. Without `max_tokens` the model's window is the limit.

    A request that states a temperature gets no repeat penalty, even if the makers recommend one.
    """
    return replace(
        asked,
        temperature=asked.temperature if asked.temperature is not None else recommended.temperature,
        top_p=asked.top_p if asked.top_p is not None else recommended.top_p,
        max_tokens=asked.max_tokens or recommended.max_tokens or max_tokens,
        repeat_penalty=recommended.repeat_penalty if asked.temperature is None else None,
    )

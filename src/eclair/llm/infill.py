"""Filling in the middle of a text: which models have the tokens for it."""

from __future__ import annotations

from eclair.llm.base import Engine, control_tokens
from eclair.schema.models import Model

INFILL_TOKENS = (
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},
    {"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"},
    {"[PREFIX]", "[SUFFIX]"},
)
"""Tokens of Qwen's, IBM's and StarCoder's, DeepSeek's and Mistral's models, from their cards."""


async def can_fill_in(engine: Engine, model: Model) -> bool:
    """Return whether a model's vocabulary has such tokens; False if it isn't known."""
    tokens = {*await control_tokens(engine, model)}
    return any(each <= tokens for each in INFILL_TOKENS)

"""Prompts to fill in the middle of a text, for models whose vocabulary has tokens for it."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.llm.base import Engine, control_tokens
from eclair.schema.models import Model


@dataclass(frozen=True, slots=True)
class InfillFormat:
    """The tokens before the prefix, the suffix and the middle; some models are shown the suffix first."""

    prefix: str
    suffix: str
    middle: str = ""
    is_suffix_first: bool = False

    def prompt(self, prefix: str, suffix: str) -> str:
        before, after = self.prefix + prefix, self.suffix + suffix
        return (after + before if self.is_suffix_first else before + after) + self.middle


FORMATS = (
    InfillFormat("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    InfillFormat("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    InfillFormat("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    InfillFormat("[PREFIX]", "[SUFFIX]", is_suffix_first=True),
)
"""Formats of Qwen's, IBM's and StarCoder's, DeepSeek's and Mistral's models, from their cards."""


async def find_infill_format(engine: Engine, model: Model) -> InfillFormat | None:
    """Return the format of a model; None if its vocabulary has no such tokens or isn't known."""
    tokens = {*await control_tokens(engine, model)}
    return next((form for form in FORMATS if {form.prefix, form.suffix, form.middle} - {""} <= tokens), None)

"""Fields of local servers that switch reasoning on or off, translated to an effort."""

from __future__ import annotations

from typing import Literal

from eclair.server.request_body import ForeignBody, ForeignModel

ON_EFFORT = "medium"
OFF_EFFORT = "none"


class TemplateArguments(ForeignModel):
    """Arguments of a model's chat template; only those that concern reasoning can be honoured everywhere."""

    enable_thinking: bool | None = None
    thinking: bool | None = None
    reasoning_effort: str | None = None


class ThinkingSwitch(ForeignModel):
    """DeepSeek's and Anthropic's form of the switch."""

    type: Literal["enabled", "disabled", "adaptive", "auto"]
    budget_tokens: int | None = None
    display: str | None = None


class ThinkingFields(ForeignBody):
    """The ways in which local servers are told to reason or not."""

    enable_thinking: bool | None = None
    thinking: bool | ThinkingSwitch | None = None
    chat_template_kwargs: TemplateArguments | None = None

    @property
    def switched_effort(self) -> str | None:
        """The effort that these fields ask for; None if they say nothing."""
        arguments = self.chat_template_kwargs or TemplateArguments()
        if arguments.reasoning_effort is not None:
            return arguments.reasoning_effort
        thinking = self.thinking
        if isinstance(thinking, ThinkingSwitch):
            thinking = {"enabled": True, "disabled": False}.get(thinking.type)
        said = (arguments.enable_thinking, arguments.thinking, self.enable_thinking, thinking)
        switch = next((each for each in said if each is not None), None)
        return None if switch is None else ON_EFFORT if switch else OFF_EFFORT

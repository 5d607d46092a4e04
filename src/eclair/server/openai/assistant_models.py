"""Assistants as models of `/v1`: one answers where a request names it, as `assistant:NAME`, in place of a model."""

from __future__ import annotations

from collections.abc import Sequence

from eclair.app import App
from eclair.generation.route import Route
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.assistants import Assistant, AssistantProfile
from eclair.schema.principal import Principal
from eclair.server.chat_input import merge_messages

PREFIX = "assistant:"


async def find_named_assistant(app: App, principal: Principal, model: str) -> Assistant | None:
    """Return the assistant that a request names; None for a model. Raises NotFound."""
    if not model.startswith(PREFIX) or any(known.id == model for known in await app.registry.models()):
        return None
    return await app.assistants.get_by_name(principal, model.removeprefix(PREFIX))


async def route_assistant(app: App, assistant: AssistantProfile, question: str) -> Route:
    """Route to the model of an assistant, or to the default where it has none that is here."""
    available = {known.id for known in await app.registry.models()}
    return await app.router.choose(assistant.model if assistant.model in available else None, None, question)


def with_instructions(assistant: AssistantProfile, messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    """Return the messages of a request below the instructions of an assistant."""
    own = [PromptMessage("system", assistant.instructions)] if assistant.instructions else []
    return list(merge_messages([*own, *messages]))


def render_assistant(assistant: Assistant) -> JSON:
    """Render an assistant as a model of OpenAI's list."""
    return {
        "id": f"{PREFIX}{assistant.name}",
        "object": "model",
        "created": assistant.created // 1000,
        "owned_by": "eclair",
        "name": assistant.name,
        "type": "base",
        "capabilities": {"completion_chat": True},
    }

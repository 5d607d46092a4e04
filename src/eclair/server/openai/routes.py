"""`/v1/chat/completions`: OpenAI's chat completions over the same models.

The answer pipeline serves each request, and its events are rendered in OpenAI's format. Unsupported fields are
rejected by name. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from eclair.app import App
from eclair.generation.sources import SharedRetriever
from eclair.llm.base import Request as EngineRequest
from eclair.schema.assistants import AssistantProfile
from eclair.schema.messages import Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.server.openai.assistant_models import find_named_assistant, route_assistant, with_instructions
from eclair.server.openai.chat_renderer import ChatFormat, ChatRenderer
from eclair.server.openai.chat_schema import ChatRequest, vary_seed
from eclair.server.openai.retriever import RequestRetriever
from eclair.server.principal import Caller
from eclair.server.public_address import PublicAddress
from eclair.server.request_images import open_images
from eclair.server.request_prompt import start_answer
from eclair.server.streaming import CLIENT_GONE, relay, unless_disconnected


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1", tags=["OpenAI"])
    public = PublicAddress.from_settings(app.settings)

    @api.post("/chat/completions")
    async def chat(principal: Caller, body: ChatRequest, request: Request) -> Response:
        form = ChatFormat(
            top_logprobs=body.top_logprobs or 0,
            whole_calls="mistral" in request.headers.get("user-agent", "").lower(),
            legacy_functions=body.uses_legacy_functions,
        )
        return await complete_with(principal, body, request, form)

    async def complete_with(principal: Principal, body: ChatRequest, request: Request, form: ChatFormat) -> Response:
        assistant = await find_named_assistant(app, principal, body.model)
        files, messages, web = body.files, body.prompt_messages(), body.uses_web
        if assistant is None:
            route = await app.router.choose_named(body.model, body.question)
        else:
            route = await route_assistant(app, assistant.profile, body.question)
            web = web or assistant.profile.web == "on"
        libraries = () if assistant is None else assistant.libraries
        images = await unless_disconnected(request, open_images(app, principal, messages, route.model))
        if images is None:
            return CLIENT_GONE
        retriever = None
        if files or web or libraries:
            retriever = RequestRetriever(app, principal, files, messages, web=web, libraries=libraries)
        choices = body.n or 1
        shared = SharedRetriever(retriever) if retriever is not None and choices > 1 else retriever
        max_tokens = app.settings.max_tokens
        answers = [
            start_answer(
                app,
                principal,
                route,
                partial(_request, body, None if assistant is None else assistant.profile, max_tokens, choice),
                images,
                shared,
                allows_lead=body.is_plain_text,
            )
            for choice in range(choices)
        ]
        include_usage = body.stream_options is not None and body.stream_options.include_usage
        find_url = _url_finder(public.absolute_url(request, ""), retriever)
        renderer = ChatRenderer(form, answers, find_url, include_usage=include_usage)
        return await relay(request, answers, renderer, streamed=body.stream)

    return api


def _request(
    body: ChatRequest, assistant: AssistantProfile | None, max_tokens: int | None, choice: int, model: Model
) -> EngineRequest:
    """Build the request for one of several choices."""
    request = body.request(model, max_tokens)
    if assistant is not None:
        request = replace(request, messages=tuple(with_instructions(assistant, request.messages)))
    return replace(request, sampling=vary_seed(request.sampling, choice))


def _url_finder(base_url: str, retriever: RequestRetriever | None) -> Callable[[Passage, int], str | None]:
    """Build a function that finds the address of a passage's page, on the web or at this server."""

    def find_url(passage: Passage, offset: int) -> str | None:
        if passage.url is not None:
            return passage.url
        is_stored = retriever is not None and passage.file in retriever.stored_files
        return f"{base_url}/api/files/{passage.file}/pages/{passage.page_at(offset).page}" if is_stored else None

    return find_url

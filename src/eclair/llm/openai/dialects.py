"""Dialects of OpenAI's API, as data, and the request body for each. No I/O."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from eclair.llm import reasoning
from eclair.llm.base import JSON, PromptMessage, Request
from eclair.llm.openai.infill_stream import infill_body
from eclair.llm.remote.continuation import CONTINUE_MESSAGE, text_to_continue

_MISTRAL_CALL_ID = re.compile("[a-zA-Z0-9]{9}")


@dataclass(frozen=True, slots=True)
class Dialect:
    """Peculiarities of a family of servers.

    To continue an assistant's message, `continue_fields` are added to the request and `continue_mark` to the message;
    with `continues_in_words` an instruction asks for it, and with `echoes_continued` the server repeats the message
    first. With `takes_prediction` it accepts a text that the answer will largely repeat. Without `keeps_alive` it
    closes the connection after a stream and doesn't say so. With `caches_prefix` it doesn't read again what its last
    prompts began with. `repeat_penalty_field` penalizes what was said in the last 64 tokens, `repetition_penalty_field`
    what was said at all or, at llama.cpp, the same. With `takes_reasoning` an assistant's message may have the
    reasoning before it, which the model's template uses or drops.
    """

    name: str
    owners: tuple[str, ...] = ()
    metadata_mark: str | None = None
    """A field of `metadata` in its list of models, where its owner alone tells nothing: others state that too."""
    continue_fields: JSON = field(default_factory=dict[str, Any])
    continue_mark: JSON = field(default_factory=dict[str, Any])
    continues_in_words: bool = False
    echoes_continued: bool = False
    usage_on_demand: bool = True
    takes_prediction: bool = False
    keeps_alive: bool = True
    caches_prefix: bool = False
    repeat_penalty_field: str | None = None
    repetition_penalty_field: str | None = None
    takes_reasoning: bool = False
    seed_field: str = "seed"
    shows_life: bool = False
    """Its server shows that it is at work before the first word; see `silence`."""
    tokenize_field: str | None = None
    """The field of `/tokenize` that takes the text; None if the server has no such call."""
    detokenized_field: str | None = None
    """The field of a reply of `/detokenize` that has the text; None if the server has no such call."""
    fills_in: Literal["infill", "suffix", "fim"] | None = None
    """It writes what belongs before a suffix: by llama.cpp's `/infill`, OpenAI's field, or Mistral's route."""
    hosts: tuple[str, ...] = ()
    """Domains of the provider whose dialect it is."""
    strict_messages: bool = False
    """Refuses messages with fields, roles and ids of calls that aren't its own."""
    cache_key_field: str | None = None
    """The field that tells the server which requests begin alike, so that it reads that from its cache."""
    takes_cache_salt: bool = False
    """Only requests with the same `cache_salt` share what it has read."""
    queue_metric: str | None = None
    """The gauge of its metrics that counts waiting requests."""
    required_choice: str = "required"
    """The `tool_choice` that demands a call."""
    forces_calls: bool = True
    """It keeps to a `tool_choice` that demands a call."""


DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "llamacpp",
        ("llamacpp", "llama.cpp"),
        keeps_alive=False,
        caches_prefix=True,
        repeat_penalty_field="repeat_penalty",
        repetition_penalty_field="repeat_penalty",
        takes_reasoning=True,
        shows_life=True,
        tokenize_field="content",
        detokenized_field="content",
        fills_in="infill",
        forces_calls=False,
        queue_metric="llamacpp:requests_deferred",
    ),
    Dialect(
        "vllm",
        ("vllm",),
        continue_fields={"continue_final_message": True, "add_generation_prompt": False},
        caches_prefix=True,
        repetition_penalty_field="repetition_penalty",
        takes_reasoning=True,
        tokenize_field="prompt",
        detokenized_field="prompt",
        takes_cache_salt=True,
        queue_metric="vllm:num_requests_waiting",
    ),
    Dialect(
        "ray",  # vLLM behind Ray Serve LLM
        ("organization-owner",),  # the owner in the examples of OpenAI's documentation
        "max_request_context_length",
        continue_fields={"continue_final_message": True, "add_generation_prompt": False},
        caches_prefix=True,
        repetition_penalty_field="repetition_penalty",
        takes_reasoning=True,
        takes_cache_salt=True,
    ),
    Dialect(
        "sglang",
        ("sglang",),
        continue_fields={"continue_final_message": True},
        caches_prefix=True,
        repetition_penalty_field="repetition_penalty",
        takes_reasoning=True,
        queue_metric="sglang:num_queue_reqs",
    ),
    Dialect(
        "mistral",
        ("mistralai",),
        continue_mark={"prefix": True},
        echoes_continued=True,
        usage_on_demand=False,
        takes_prediction=True,
        seed_field="random_seed",
        hosts=("mistral.ai",),
        fills_in="fim",
        strict_messages=True,
        cache_key_field="prompt_cache_key",
        required_choice="any",
    ),
    Dialect("deepseek", ("deepseek",), continues_in_words=True, takes_reasoning=True, hosts=("deepseek.com",)),
    Dialect(
        "openai",
        ("openai", "openai-internal", "system"),
        continues_in_words=True,
        takes_prediction=True,
        hosts=("openai.com",),
        fills_in="suffix",
    ),
)
PLAIN_DIALECT = Dialect("plain", continues_in_words=True, fills_in="suffix")


def dialect_at(url: str) -> Dialect | None:
    """Return the dialect of the provider at `url`; None if that is none we know."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return next((each for each in DIALECTS if any(host == own or host.endswith(f".{own}") for own in each.hosts)), None)


def dialect_of_list(rows: Sequence[JSON]) -> Dialect:
    """Return the dialect that a server's list of models tells; the plain one if that is none we know."""
    return next((each for each in DIALECTS if any(_lists(each, row) for row in rows)), PLAIN_DIALECT)


def _lists(dialect: Dialect, row: JSON) -> bool:
    if row.get("owned_by") not in dialect.owners:
        return False
    return dialect.metadata_mark is None or dialect.metadata_mark in (row.get("metadata") or ())


def build_body(request: Request, dialect: Dialect) -> JSON:
    """Build the request's body in the OpenAI format."""
    sampling = request.sampling
    fields: JSON = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        dialect.seed_field: sampling.seed,
        "stop": list(sampling.stop) or None,
        "tools": list(request.tools) or None,
        "tool_choice": dialect.required_choice if request.tool_choice == "required" else request.tool_choice,
        "response_format": request.response_format,
    }
    if dialect.repeat_penalty_field is not None and request.response_format is None and not request.tools:
        fields[dialect.repeat_penalty_field] = sampling.repeat_penalty  # structured output repeats itself
    extra = dict(request.extra)
    penalty: float | None = extra.pop("repetition_penalty", None)
    if penalty is not None and dialect.repetition_penalty_field is not None:
        fields[dialect.repetition_penalty_field] = penalty
    effort: str | None = extra.pop("reasoning_effort", None)
    if effort is not None and request.prompt is None:
        extra |= reasoning.reasoning_fields(effort, request.reasoning, dialect.name)
    body = {**extra, "model": request.model, "stream": True}
    if request.prediction is not None and dialect.takes_prediction:
        fields["prediction"] = {"type": "content", "content": request.prediction}
    body.update((key, value) for key, value in fields.items() if value is not None)
    if dialect.usage_on_demand:
        body["stream_options"] = {"include_usage": True}
    if request.prompt is not None:
        return _prompt_body(body, request.prompt, request.suffix, dialect)
    said = reasoning.add_reasoning_prompt(request.messages, effort, request.reasoning, dialect.name)
    if dialect.cache_key_field is not None and request.purpose == "answer":
        body[dialect.cache_key_field] = _cache_key(request.messages)
    is_continued = bool(text_to_continue(request))
    if is_continued and dialect.continues_in_words:
        said.append(CONTINUE_MESSAGE)
    to_json = _strict_message if dialect.strict_messages else _message
    messages = [to_json(message, dialect) for message in said]
    if not is_continued:
        return {**body, "messages": messages}
    if not dialect.continues_in_words:
        messages[-1].pop("reasoning_content", None)
    messages[-1].update(dialect.continue_mark)
    return {**body, "messages": messages, **dialect.continue_fields}


def _prompt_body(body: JSON, prompt: str, suffix: str | None, dialect: Dialect) -> JSON:
    if suffix is None:
        return {**body, "prompt": prompt}
    if dialect.fills_in == "infill":
        return infill_body(body, prompt, suffix)
    return {**body, "prompt": prompt, "suffix": suffix}


def _message(said: PromptMessage, dialect: Dialect) -> JSON:
    message: JSON = {"role": said.role, "content": _content(said)}
    if said.reasoning and dialect.takes_reasoning:
        message["reasoning_content"] = said.reasoning
    if said.name is not None:
        message["name"] = said.name
    if said.tool_calls:
        message["tool_calls"] = list(said.tool_calls)
    if said.tool_call_id is not None:
        message["tool_call_id"] = said.tool_call_id
    return message


def _cache_key(messages: Sequence[PromptMessage]) -> str:
    """Return what names a conversation: a hash of all up to its first question."""
    first = next((place for place, said in enumerate(messages) if said.role == "user"), len(messages))
    beginning = [(said.role, said.content) for said in messages[: first + 1]]
    return hashlib.sha256(orjson.dumps(beginning)).hexdigest()[:32]


def _strict_message(said: PromptMessage, dialect: Dialect) -> JSON:
    """Return the message as Mistral's API takes it: calls have ids of nine letters and digits, few have names."""
    message = _message(said, dialect)
    if said.role == "developer":
        message["role"] = "system"
    if said.role != "tool":
        message.pop("name", None)
    if said.tool_calls:
        message["tool_calls"] = [{**call, "id": _short_id(str(call.get("id")))} for call in said.tool_calls]
    if said.tool_call_id is not None:
        message["tool_call_id"] = _short_id(said.tool_call_id)
    return message


def _short_id(id: str) -> str:
    """Return an id that Mistral's API takes: its own, or one made from another's."""
    return id if _MISTRAL_CALL_ID.fullmatch(id) else hashlib.sha256(id.encode()).hexdigest()[:9]


def _content(said: PromptMessage) -> str | list[JSON] | None:
    """Return the content, with the images before the text."""
    if not said.images:
        return said.content
    shown: list[JSON] = [{"type": "image_url", "image_url": {"url": each.data_url}} for each in said.images]
    texts = said.content if isinstance(said.content, list) else [{"type": "text", "text": said.content or ""}]
    return [*shown, *texts]

"""Request schema of `/v1/responses`; unsupported fields are rejected by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from eclair.errors import InvalidInput
from eclair.generation.sampling import resolve_sampling
from eclair.llm.base import JSON, PromptMessage
from eclair.llm.base import Request as EngineRequest
from eclair.schema.messages import Sampling
from eclair.schema.models import Model
from eclair.server.chat_input import merge_messages, move_tool_images
from eclair.server.openai.code_interpreter import CodeInterpreterDefinition
from eclair.server.openai.file_search import FileSearchDefinition
from eclair.server.openai.responses_items import InputFile, Item, as_items, engine_name
from eclair.server.request_body import ForeignBody, ForeignModel, type_discriminator, union_tag
from eclair.server.thinking_fields import ThinkingFields
from eclair.server.tool_choice import check_tool_choice

LOGPROBS = "message.output_text.logprobs"


class FunctionTool(ForeignModel):
    """A function. Fields that say when and by whom it may be called are ignored."""

    type: Literal["function"]
    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    output_schema: dict[str, Any] | None = None
    allowed_callers: list[str] | None = None
    defer_loading: bool | None = None

    def to_engine(self, namespace: str | None = None) -> JSON:
        function = self.model_dump(include={"description", "parameters", "strict"}, exclude_none=True)
        return {"type": "function", "function": {"name": engine_name(namespace, self.name), **function}}


class NamespaceTool(ForeignModel):
    """Functions under one name, as Codex sends them. The engine is told `NAMESPACE__NAME` for each."""

    type: Literal["namespace"]
    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    tools: list[FunctionTool]


class WebTool(ForeignModel):
    """Lets the model search the web; for one that doesn't call tools well, it is searched before.

    With `external_web_access` false nothing is searched.
    """

    type: Literal["web_search", "web_search_preview", "web_search_2025_08_26", "web_search_preview_2025_03_11"]
    search_context_size: Literal["low", "medium", "high"] | None = None
    user_location: dict[str, Any] | None = None
    external_web_access: bool | None = None
    search_content_types: list[str] | None = None


ToolDefinition = Annotated[
    Annotated[FunctionTool, union_tag("function")]
    | Annotated[NamespaceTool, union_tag("namespace")]
    | Annotated[WebTool, union_tag("web_search")]
    | Annotated[WebTool, union_tag("web_search_preview")]
    | Annotated[WebTool, union_tag("web_search_2025_08_26")]
    | Annotated[WebTool, union_tag("web_search_preview_2025_03_11")]
    | Annotated[FileSearchDefinition, union_tag("file_search")]
    | Annotated[CodeInterpreterDefinition, union_tag("code_interpreter")],
    type_discriminator("there are the types function, namespace, web_search, file_search and code_interpreter"),
]


class NamedTool(ForeignModel):
    type: Literal["function"]
    name: str
    namespace: str | None = None

    @property
    def engine_name(self) -> str:
        return engine_name(self.namespace, self.name)


class AllowedTools(ForeignModel):
    """Lets the model choose among some of the tools only."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[NamedTool]


class HostedChoice(ForeignModel):
    """Asks for a tool of Éclair's own: searches are made before the model is asked; code is run if it wants to."""

    type: Literal[
        "web_search",
        "web_search_preview",
        "web_search_2025_08_26",
        "web_search_preview_2025_03_11",
        "file_search",
        "code_interpreter",
    ]

    @property
    def tool(self) -> str:
        """The tool's name without its version."""
        return "web_search" if self.type.startswith("web_search") else self.type


ResponsesToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], union_tag("word")]
    | Annotated[NamedTool, union_tag("function")]
    | Annotated[AllowedTools, union_tag("allowed_tools")]
    | Annotated[HostedChoice, union_tag("web_search")]
    | Annotated[HostedChoice, union_tag("web_search_preview")]
    | Annotated[HostedChoice, union_tag("web_search_2025_08_26")]
    | Annotated[HostedChoice, union_tag("web_search_preview_2025_03_11")]
    | Annotated[HostedChoice, union_tag("file_search")]
    | Annotated[HostedChoice, union_tag("code_interpreter")],
    type_discriminator("it is none, auto, required, allowed_tools or a function of `tools`", "word"),
]


class PlainFormat(ForeignModel):
    type: Literal["text", "json_object"]

    def to_engine(self) -> JSON | None:
        return None if self.type == "text" else {"type": self.type}


class SchemaFormat(ForeignModel):
    type: Literal["json_schema"]
    name: str
    schema_: dict[str, Any] = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None

    def to_engine(self) -> JSON | None:
        schema = self.model_dump(exclude={"type"}, exclude_none=True, by_alias=True)
        return {"type": "json_schema", "json_schema": schema}


Format = Annotated[
    Annotated[PlainFormat, union_tag("text")]
    | Annotated[PlainFormat, union_tag("json_object")]
    | Annotated[SchemaFormat, union_tag("json_schema")],
    type_discriminator("there are the types text, json_object and json_schema"),
]


class TextConfig(ForeignModel):
    format: Format | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningConfig(ForeignModel):
    """Whatever `summary` asks for, the reasoning itself is returned in full."""

    effort: str | None = None
    summary: Literal["auto", "concise", "detailed", "none"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None
    mode: str | None = None


class ResponsesStreamOptions(ForeignModel):
    include_obfuscation: bool | None = None


class ConversationReference(ForeignModel):
    id: str


ResponseMetadata = Annotated[dict[str, str] | None, Field(max_length=16)]


class ResponsesHints(ForeignBody):
    """Fields that are accepted and ignored: they ask for nothing that changes the answer here."""

    stream_options: ResponsesStreamOptions | None = None
    truncation: Literal["auto", "disabled"] | None = None
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: Any = None
    client_metadata: Any = None
    context_management: Any = None
    max_tool_calls: int | None = None


class ResponsesRequest(ResponsesHints, ThinkingFields):
    """Body of a request."""

    model: str
    input: Annotated[
        list[Item], Field(min_length=1), BeforeValidator(as_items, json_schema_input_type=str | list[Item])
    ]
    instructions: str | None = None
    stream: bool | None = None
    tools: list[ToolDefinition] | None = None
    tool_choice: ResponsesToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float | None, Field(ge=0, le=1)] = None
    max_output_tokens: Annotated[int | None, Field(ge=1)] = None
    include: list[str] | None = None
    top_logprobs: Annotated[int | None, Field(ge=0, le=20)] = None
    store: bool | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationReference | None = None
    background: bool | None = None
    metadata: ResponseMetadata = None

    @model_validator(mode="after")
    def _require_chosen_tools(self) -> ResponsesRequest:
        choice = self.tool_choice
        chosen = choice.tools if isinstance(choice, AllowedTools) else [choice] if isinstance(choice, NamedTool) else []
        named = [tool.engine_name for tool in chosen]
        names = {name for name, _, _ in self._functions()}
        if isinstance(choice, HostedChoice):
            named = [choice.tool]
            names = {"web_search" if isinstance(tool, WebTool) else tool.type for tool in self.tools or ()}
        check_tool_choice(named, names, lacks_tools=choice == "required" and not self.tools)
        return self

    @property
    def conversation_id(self) -> str | None:
        given = self.conversation
        return given.id if isinstance(given, ConversationReference) else given

    @property
    def usable_tools(self) -> list[ToolDefinition]:
        """The tools, as far as any may be used."""
        return [] if self.tool_choice == "none" else self.tools or []

    @property
    def uses_web(self) -> bool:
        return any(isinstance(tool, WebTool) and tool.external_web_access is not False for tool in self.usable_tools)

    @property
    def file_search(self) -> FileSearchDefinition | None:
        """The search of files, if it may be used."""
        return next((tool for tool in self.usable_tools if isinstance(tool, FileSearchDefinition)), None)

    @property
    def code_interpreter(self) -> CodeInterpreterDefinition | None:
        """The code interpreter, if the model may use it."""
        return next((tool for tool in self.usable_tools if isinstance(tool, CodeInterpreterDefinition)), None)

    @property
    def demands_search(self) -> bool:
        """True if a search has to be made, whatever the model thinks."""
        return isinstance(self.tool_choice, HostedChoice) and self.tool_choice.type != "code_interpreter"

    def includes(self, name: str) -> bool:
        """Return whether `include` names something that is otherwise left out of the response."""
        return name in (self.include or ())

    @property
    def function_names(self) -> frozenset[str]:
        """The engine's names of the client's functions."""
        return frozenset(name for name, _, _ in self._functions())

    @property
    def is_plain_text(self) -> bool:
        """True if the answer is text only: no functions, format or logprobs."""
        form = self.text.format.to_engine() if self.text and self.text.format else None
        searching = (WebTool, FileSearchDefinition)
        return form is None and not self.logprobs and all(isinstance(tool, searching) for tool in self.tools or ())

    @property
    def logprobs(self) -> bool:
        return self.includes(LOGPROBS)

    @property
    def files(self) -> list[InputFile]:
        return [file for item in self.input for file in item.files]

    def request(self, model: Model, max_tokens: int | None) -> EngineRequest:
        """Build the engine's request. Raises InvalidInput if there is nothing to answer."""
        messages = tuple(move_tool_images(merge_messages(self.prompt_messages())))
        if not messages:
            raise InvalidInput("There is nothing to answer; send a message in `input`.", param="input")
        sampling = Sampling(self.temperature, self.top_p, self.max_output_tokens)
        return EngineRequest(
            model=model.id,
            messages=messages,
            sampling=resolve_sampling(sampling, model.sampling, max_tokens),
            tools=self._engine_tools(),
            tool_choice=self._tool_choice(),
            response_format=self.text.format.to_engine() if self.text and self.text.format else None,
            extra=self._engine_options(),
        )

    def prompt_messages(self) -> Iterator[PromptMessage]:
        if self.instructions:
            yield PromptMessage("system", self.instructions)
        for item in self.input:
            if (message := item.to_prompt()) is not None:
                yield message

    def client_name(self, name: str) -> tuple[str | None, str]:
        """Return the namespace and the name of a tool that the engine calls `name`."""
        found = ((space, tool.name) for engine, space, tool in self._functions() if engine == name)
        return next(found, (None, name))

    def _functions(self) -> Iterator[tuple[str, str | None, FunctionTool]]:
        """Yield each function with the engine's name for it, and its namespace."""
        for tool in self.tools or ():
            if isinstance(tool, FunctionTool):
                yield tool.name, None, tool
            elif isinstance(tool, NamespaceTool):
                for each in tool.tools:
                    yield engine_name(tool.name, each.name), tool.name, each

    def _engine_tools(self) -> tuple[JSON, ...]:
        choice = self.tool_choice
        allowed = {tool.engine_name for tool in choice.tools} if isinstance(choice, AllowedTools) else None
        functions = self._functions()
        return tuple(tool.to_engine(space) for name, space, tool in functions if allowed is None or name in allowed)

    def _tool_choice(self) -> str | JSON | None:
        match self.tool_choice:
            case NamedTool() as tool:
                return {"type": "function", "function": {"name": tool.engine_name}}
            case AllowedTools(mode=mode):
                return mode
            case HostedChoice():
                return None
            case word:
                return word

    def _engine_options(self) -> JSON:
        values = {
            "reasoning_effort": (self.reasoning and self.reasoning.effort) or self.switched_effort,
            "parallel_tool_calls": self.parallel_tool_calls,
            "logprobs": self.logprobs or None,
            "top_logprobs": self.top_logprobs if self.logprobs else None,
        }
        return {name: value for name, value in values.items() if value is not None}

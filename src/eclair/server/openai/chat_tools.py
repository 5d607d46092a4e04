"""Tools, tool choices and answer formats of `/v1/chat/completions`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from eclair.llm.base import JSON
from eclair.server.request_body import ForeignModel, type_discriminator, union_tag


class FunctionDefinition(ForeignModel):
    """A function that the model may call. What clients add to it is ignored."""

    model_config = ConfigDict(extra="ignore")
    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def to_engine(self) -> JSON:
        return {"type": "function", "function": self.model_dump(exclude_none=True)}


class ChatFunctionTool(ForeignModel):
    model_config = ConfigDict(extra="ignore")
    type: Literal["function"] = "function"
    function: FunctionDefinition


ChatTool = Annotated[
    Annotated[ChatFunctionTool, union_tag("function")],
    type_discriminator("there is the type function", "function"),
]


class FunctionName(ForeignModel):
    name: str


class NamedFunction(ForeignModel):
    type: Literal["function"]
    function: FunctionName


class AllowedFunctions(ForeignModel):
    mode: Literal["auto", "required"]
    tools: list[NamedFunction]


class AllowedFunctionsChoice(ForeignModel):
    """Lets the model choose among some of the tools only."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedFunctions


ChatToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required", "any"], union_tag("word")]
    | Annotated[NamedFunction, union_tag("function")]
    | Annotated[AllowedFunctionsChoice, union_tag("allowed_tools")],
    type_discriminator("it is none, auto, required, any, allowed_tools or a function of `tools`", "word"),
]


class ChatTextFormat(ForeignModel):
    type: Literal["text"]

    def to_engine(self) -> JSON | None:
        return None


class JsonObjectFormat(ForeignModel):
    """Any JSON object, or one by a `schema`, as local servers let one say."""

    type: Literal["json_object"]
    schema_: dict[str, Any] | None = Field(None, alias="schema")

    def to_engine(self) -> JSON | None:
        return {"type": "json_object"} if self.schema_ is None else schema_format(self.schema_)


class NamedSchema(ForeignModel):
    name: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None


class JsonSchemaFormat(ForeignModel):
    """JSON by a schema, in `json_schema` or, as llama.cpp has it, in `schema`."""

    type: Literal["json_schema"]
    json_schema: NamedSchema | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")

    @model_validator(mode="after")
    def _require_schema(self) -> JsonSchemaFormat:
        if self.json_schema is None and self.schema_ is None:
            raise ValueError("its `json_schema` with a `schema` is missing")
        return self

    def to_engine(self) -> JSON | None:
        if self.json_schema is None:
            return schema_format(self.schema_ or {})
        named = self.json_schema.model_dump(exclude_none=True, by_alias=True)
        return {"type": "json_schema", "json_schema": {"name": "answer", **named}}


ResponseFormat = Annotated[
    Annotated[ChatTextFormat, union_tag("text")]
    | Annotated[JsonObjectFormat, union_tag("json_object")]
    | Annotated[JsonSchemaFormat, union_tag("json_schema")],
    type_discriminator("there are the types text, json_object and json_schema"),
]


def _parse_schema(value: Any) -> Any:
    """Parse a schema that comes as text, which vLLM and llama.cpp allow."""
    try:
        return orjson.loads(value) if isinstance(value, str) else value
    except orjson.JSONDecodeError:
        return value


JsonSchema = Annotated[dict[str, Any], BeforeValidator(_parse_schema, json_schema_input_type=str | dict[str, Any])]


class StructuredOutputs(ForeignModel):
    """The form of vLLM for `guided_json`."""

    json_: JsonSchema = Field(alias="json")


def schema_format(schema: JSON) -> JSON:
    """Return the engine's response format for a schema."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}

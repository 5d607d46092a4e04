"""Tool calls of models whose servers neither force nor parse them: forced ones, and those written as text."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import EngineRefused
from eclair.llm.base import JSON, Delta, Finish, PromptMessage, Reasoning, Request, Text, ToolCall
from eclair.llm.json_schema import SchemaCheck
from eclair.llm.local.told_calls import tell_calls
from eclair.llm.openai.call_reader import CallReader, keep_tool_choice
from eclair.llm.openai.dialects import DIALECTS, Dialect, build_body
from eclair.llm.openai.forced_calls import ForcedCallParser, force_calls


def tool(name: str, required: tuple[str, ...] = ("city",), **properties: JSON) -> JSON:
    schema = {"type": "object", "properties": properties or {"city": {"type": "string"}}, "required": [*required]}
    return {"type": "function", "function": {"name": name, "description": f"Tells the {name}.", "parameters": schema}}


WEATHER = tool("get_weather")
RUN = tool("run", ("code",), code={"type": "string"}, times={"type": "integer"}, dry={"type": "boolean"})
TOOLS = (WEATHER, RUN)
LLAMA = DIALECTS[0]
PARIS = '{"name": "get_weather", "arguments": {"city": "Paris"}}'


def request(**fields: Any) -> Request:
    return Request("m", (PromptMessage("user", "Hi"),), tools=TOOLS, **fields)


def reader(dialect: Dialect = LLAMA, **fields: Any) -> CallReader:
    found = keep_tool_choice(request(**fields), dialect)[1]
    assert found is not None
    return found


def cut(text: str, at: list[int]) -> list[str]:
    places = sorted({place % (len(text) + 1) for place in at})
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True) if start < end]


def read(reader: CallReader, pieces: list[str]) -> tuple[str, list[tuple[str, str]], str]:
    """The text, the calls and the finish reason that come of pieces of text."""
    text = ""
    calls: dict[int, list[str]] = {}
    for delta in [each for piece in [*map(Text, pieces), Finish("stop")] for each in reader.convert(piece)]:
        match delta:
            case Text(said):
                assert said
                text += said
            case ToolCall(index, id, name, arguments):
                if name is not None:
                    assert index not in calls
                    assert id is not None
                    assert id.isalnum()
                    calls[index] = [name, ""]
                calls[index][1] += arguments
            case Finish(reason):
                return text, [(name, arguments) for name, arguments in calls.values()], reason
            case _:
                raise AssertionError(delta)
    raise AssertionError("no end")


# Forced calls

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(max_size=6), JSONS, max_size=3)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=9), ARGUMENTS), min_size=1, max_size=4), st.data())
def test_forced_calls_are_read_the_same_however_they_are_cut(
    calls: list[tuple[str, JSON]], data: st.DataObject
) -> None:
    written: Any = [{"name": name, "arguments": arguments} for name, arguments in calls]
    if len(written) == 1 and data.draw(st.booleans()):
        written = written[0]
    options = orjson.OPT_INDENT_2 if data.draw(st.booleans()) else 0
    text = orjson.dumps(written, option=options).decode()
    said, found, reason = read(ForcedCallParser(), cut(text, data.draw(st.lists(st.integers(0, 500), max_size=30))))
    assert [(name, orjson.loads(arguments)) for name, arguments in found] == calls
    assert (said, reason) == ("", "tool_calls")


def test_a_forced_call_is_streamed_as_it_grows() -> None:
    parser = ForcedCallParser()
    assert parser.feed('{ "name": "get_wea') == []
    (first,) = parser.feed('ther"')
    assert (first.name, first.arguments) == ("get_weather", "")
    assert [call.arguments for call in parser.feed(', "arguments": {"city": "Pa')] == ['{"city": "Pa']
    assert [call.arguments for call in parser.feed('ris"}')] == ['ris"}']
    assert parser.feed("}") == []
    assert parser.convert(Reasoning("hm")) == [Reasoning("hm")]
    assert parser.convert(Finish("length")) == [Finish("length")]


def test_reading_a_long_forced_call_takes_linear_time() -> None:
    text = '{"name": "run", "arguments": {"code": "' + "x\\n{" * 200_000 + '"}}'
    began = time.perf_counter()
    (call,) = read(ForcedCallParser(), [text[at : at + 4] for at in range(0, len(text), 4)])[1]
    assert len(call[1]) > 800_000
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "run"}}])
def test_only_an_engine_that_forces_no_calls_is_asked_for_json(choice: str | JSON) -> None:
    asked = request(tool_choice=choice)
    body = build_body(keep_tool_choice(asked, LLAMA)[0], LLAMA)
    assert body["tools"] == [*TOOLS]
    assert body["tool_choice"] == "none"
    assert body["response_format"]["type"] == "json_schema"
    vllm = DIALECTS[1]
    assert build_body(keep_tool_choice(asked, vllm)[0], vllm)["tool_choice"] == choice


def schema_of(asked: Request) -> JSON:
    form = force_calls(asked).response_format
    assert form is not None
    return form["json_schema"]["schema"]


def test_the_schema_of_forced_calls() -> None:
    several = schema_of(request(tool_choice="required"))
    one = schema_of(request(tool_choice="required", extra={"parallel_tool_calls": False}))
    named = schema_of(request(tool_choice={"type": "function", "function": {"name": "run"}}))
    paris, run = orjson.loads(PARIS), {"name": "run", "arguments": {"code": "1"}}
    values: list[Any] = [[paris, run], paris, run, [], [run], {"name": "run", "arguments": {}}, {"name": "other"}]
    fitting = [[SchemaCheck(schema).fits(value) for schema in (several, one, named)] for value in values]
    no = [False] * 3
    assert fitting == [
        [True, False, False],
        [False, True, False],
        [False, True, True],
        no,
        [True, False, False],
        no,
        no,
    ]


def test_references_within_a_tool_point_to_where_it_is_moved() -> None:
    city = {"$defs": {"City": {"type": "string"}}, "properties": {"city": {"$ref": "#/$defs/City"}, "x": True}}
    moved = {"type": "function", "function": {"name": "go", "parameters": {**city, "required": ["city"]}}}
    schema = schema_of(Request("m", tools=(WEATHER, moved), tool_choice="required"))
    assert SchemaCheck(schema).fits([{"name": "go", "arguments": {"city": "Rome", "x": 1}}])
    assert not SchemaCheck(schema).fits([{"name": "go", "arguments": {"city": 3}}])


def test_a_choice_of_a_tool_that_is_not_there_is_refused() -> None:
    with pytest.raises(EngineRefused, match="'fly'"):
        keep_tool_choice(request(tool_choice={"type": "function", "function": {"name": "fly"}}), LLAMA)


def test_calls_in_text_are_not_looked_for_where_none_may_come() -> None:
    assert keep_tool_choice(request(tool_choice="none"), LLAMA)[1] is None
    assert keep_tool_choice(Request("m"), LLAMA)[1] is None
    assert keep_tool_choice(request(extra={"logprobs": True}), LLAMA)[1] is None


# Calls written as text

CALL = ("get_weather", '{"city":"Paris"}')
CODE = ("run", '{"code":"print(\\"```\\")\\n"}')
RUNS = '{"name":"run","arguments":{"code":"print(\\"```\\")\\n"}}'

WRITTEN = [
    (f"```json\n{PARIS}\n```", "", [CALL]),
    (f"```\n{PARIS}\n```\n", "", [CALL]),
    (f"```json\n{PARIS}```", "", [CALL]),
    (f"```json\n{PARIS}", "", [CALL]),
    (f"I look it up.\n\n```json\n{PARIS}\n```\nDone.", "I look it up.\n\n\nDone.", [CALL]),
    (f"```json\n[{PARIS},\n{RUNS}]\n```", "", [CALL, CODE]),
    (f"```json\n{PARIS}\n{RUNS}\n```", "", [CALL, CODE]),
    (f"```json\n{PARIS}\n```\n\n```json\n{RUNS}\n```", "", [CALL, CODE]),
    (PARIS, "", [CALL]),
    (f"\n\n{PARIS}\n", "\n\n", [CALL]),
    (f"Here:\n{PARIS}\n{RUNS}", "Here:\n", [CALL, CODE]),
    (f"[{PARIS}]", "", [CALL]),
    (f"{{{PARIS}}}", "", [CALL]),
    ('{"arguments": {"city": "Paris"}, "name": "get_weather"}', "", [CALL]),
    ('{"name": "get_weather", "parameters": {"city": "Paris"}}', "", [CALL]),
    ('{"name": "get_weather", "arguments": "{\\"city\\": \\"Paris\\"}"}', "", [CALL]),
    ('{"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Paris"}}}', "", [CALL]),
    (f"<tool_call>\n{PARIS}\n</tool_call>", "", [CALL]),
    (f"Sure. <tool_call>{PARIS}</tool_call>\n<tool_call>{RUNS}</tool_call>", "Sure. ", [CALL, CODE]),
    (f"<tool_call>\n{PARIS}", "", [CALL]),
    (f"<tools>\n{PARIS}\n</tools>", "", [CALL]),
    ('<function=get_weather>{"city": "Paris"}</function>', "", [CALL]),
    (
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>",
        "",
        [CALL],
    ),
    (
        '<invoke name="run"><parameter name="code">7</parameter><parameter name="times">2</parameter></invoke>',
        "",
        [("run", '{"code":"7","times":2}')],
    ),
    (f"[TOOL_CALLS][{PARIS}]", "", [CALL]),
    ('[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}', "", [CALL]),
    ('[TOOL_CALLS]get_weather{"city": "Paris"}', "", [CALL]),
    (f"<|python_tag|>{PARIS}", "", [CALL]),
    (f"```python\nprint(1)\n```\n<tool_call>{PARIS}</tool_call>", "```python\nprint(1)\n```\n", [CALL]),
]

TEXTS = [
    "Just words.",
    "a < b and <b>bold</b> and [link](x) and `code`",
    '```json\n{"city": "Paris"}\n```\n',
    '{"name": "Anna", "arguments": {}}',
    '{"name": "get_weather", "arguments": {"town": "Paris"}}',
    '{"name": "get_weather", "arguments": {"city": 3}}',
    '{"name": "get_weather"}',
    '{"name": "get_weather", "arguments": {"city": "Paris"}, "result": "sunny"}',
    f'```json\n{{"examples": [\n{PARIS}\n]}}\n```',
    f"```python\n{PARIS}\n```",
    f"```python\n<tool_call>{PARIS}</tool_call>\n```",
    '{"cities": [\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n]}',
    f"The JSON {PARIS} is a call.",
    "<tool_call>nothing</tool_call>",
    "<tool_call>\n<function=fly>\n</function>\n</tool_call>",
    "<function=run><parameter=times>2</parameter></function>",
    f"<tool_call>{PARIS} and more</tool_call>",
    "```json\n",
    "``",
    "[TOOL",
    "<",
    "{",
    "[\n[\n[\n",
    "{" + " " * 600 + PARIS[1:],
    "\n" * 50,
]


@pytest.mark.parametrize(("written", "text", "calls"), WRITTEN)
@given(places=st.lists(st.integers(0, 300), max_size=40))
def test_calls_written_as_text_are_found(
    written: str, text: str, calls: list[tuple[str, str]], places: list[int]
) -> None:
    for pieces in ([written], [*written], cut(written, places)):
        assert read(reader(), pieces) == (text, calls, "tool_calls")


@pytest.mark.parametrize("text", TEXTS)
@given(places=st.lists(st.integers(0, 300), max_size=40))
def test_all_other_text_stays_as_it_is(text: str, places: list[int]) -> None:
    for pieces in ([text], [*text], cut(text, places)):
        assert read(reader(), pieces) == (text, [], "stop")


FRAGMENTS = st.sampled_from(
    [
        *'{}[]<>`"\\\n :,',
        *("```", "json\n", "\n```", "\n{", '"name"', '"get_weather"', '"arguments": ', "<tool_call>", "</tool_call>"),
        *("[TOOL_CALLS]", "<function=", "run>", "word ", PARIS),
    ]
)


@given(st.lists(FRAGMENTS, max_size=40).map("".join), st.lists(st.integers(0, 300), max_size=40))
def test_any_text_is_read_the_same_however_it_is_cut(text: str, places: list[int]) -> None:
    whole = read(reader(), [text] if text else [])
    assert read(reader(), cut(text, places)) == whole
    if not whole[1]:
        assert whole[0] == text


def test_text_is_held_back_only_while_it_can_become_a_call() -> None:
    def held(text: str) -> str:
        finder = reader()
        said = [delta for piece in text for delta in finder.convert(Text(piece))]
        return text[len("".join(delta.text for delta in said if isinstance(delta, Text))) :]

    for text, expected in {
        "Hello": "",
        "Hello\n\n": "",
        "a <": "<",
        "a <to": "<to",
        "a <tp": "",
        "```": "```",
        "```py": "",
        "```json\n{": "```json\n{",
        '```json\n{"ci': "",
        '{"name": "get_w': '{"name": "get_w',
        '{"name": "get_x': "",
        PARIS[:-1]: PARIS[:-1],
    }.items():
        assert held(text) == expected, text


def test_one_call_at_a_time_if_that_is_asked() -> None:
    one = reader(extra={"parallel_tool_calls": False})
    assert read(one, [f"<tool_call>{PARIS}</tool_call><tool_call>{RUNS}</tool_call>"]) == ("", [CALL], "tool_calls")


def test_nothing_is_looked_for_once_the_server_itself_made_a_call() -> None:
    finder = reader()
    native = ToolCall(0, "x", "run", "{}")
    deltas: list[Delta] = [Text("<"), native, Text(PARIS), Finish("tool_calls")]
    assert [found for delta in deltas for found in finder.convert(delta)] == deltas


def test_looking_for_calls_takes_linear_time() -> None:
    began = time.perf_counter()
    for text in ('{"name": "run", "arguments": {"code": "' + "x\\n{" * 50_000, "\n{" * 100_000, "```\n" * 50_000):
        read(reader(), [text[at : at + 4] for at in range(0, len(text), 4)])
    assert time.perf_counter() - began < 20


# Models that weren't trained to call


def test_earlier_calls_are_told_in_words_and_a_result_is_answered() -> None:
    function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    asked = PromptMessage("user", "Is it sunny?")
    call = PromptMessage("assistant", None, tool_calls=({"id": "c1", "type": "function", "function": function},))
    result = PromptMessage("tool", "Yes.", tool_call_id="c1")
    told = tell_calls(Request("m", (asked, call, result), tools=TOOLS, tool_choice="auto"))
    words = 'Is it sunny?\n\nget_weather({"city": "Paris"}) returned:\nYes.'
    assert told.messages == (PromptMessage("user", words),)
    assert (told.tools, told.tool_choice) == ((), None)
    later = tell_calls(Request("m", (asked, replace(call, content="I look."), result, asked), tools=TOOLS))
    assert [message.role for message in later.messages] == ["user", "assistant", "user"]
    assert later.tools == TOOLS
    assert tell_calls(Request("m", (asked, call, result), tools=TOOLS, tool_choice="required")).tools == TOOLS
    plain = Request("m", (asked, asked), tools=TOOLS)
    assert tell_calls(plain) is plain


# Schemas


SCHEMAS: list[tuple[Any, list[Any], list[Any]]] = [
    ({"type": "integer", "minimum": 1}, [1, 2.0], [0, 1.5, True, "1"]),
    ({"type": ["string", "null"], "maxLength": 2}, ["ab", None], ["abc", 1]),
    ({"enum": [1, "a"]}, [1, "a"], [True, "b"]),
    ({"const": None}, [None], [0]),
    ({"items": {"type": "number"}, "minItems": 1, "maxItems": 2}, [[1], "x"], [[], ["x"], [1, 2, 3]]),
    ({"prefixItems": [{"type": "string"}], "items": False}, [["a"], []], [["a", 1], [1]]),
    ({"additionalProperties": False, "properties": {"a": {}}}, [{}, {"a": 1}], [{"b": 1}]),
    ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, ["a", 3], [2]),
    ({"oneOf": [{"minimum": 3}, {"maximum": 5}]}, [2, 6], [4]),
    ({"allOf": [{"minimum": 3}, {"maximum": 5}], "not": {"const": 4}}, [3], [4, 6]),
    ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}, ["x"], [1]),
    ({"$ref": "#"}, [], [1]),
    ({"$ref": "http://elsewhere/"}, [], [1]),
    ({"type": "object", "required": 7}, [], [{}]),
    (True, [1], []),
    (False, [], [1]),
]


@pytest.mark.parametrize(("schema", "fitting", "unfit"), SCHEMAS)
def test_schemas(schema: Any, fitting: list[Any], unfit: list[Any]) -> None:
    assert [SchemaCheck(schema).fits(value) for value in fitting] == [True] * len(fitting)
    assert [SchemaCheck(schema).fits(value) for value in unfit] == [False] * len(unfit)


def test_a_schema_that_explodes_fits_nothing() -> None:
    definitions = {str(at): {"anyOf": [{"$ref": f"#/$defs/{at + 1}"}] * 2} for at in range(60)}
    schema = {"$ref": "#/$defs/0", "$defs": {**definitions, "60": {"type": "string"}}}
    assert not SchemaCheck(schema).fits(1)

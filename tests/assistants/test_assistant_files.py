"""Files of assistants: Éclair's own come back as they were, and of OpenAI's what is left out is named."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from eclair.assistants.assistant_files import export_assistant, read_assistant_file
from eclair.errors import InvalidInput
from eclair.schema.assistants import AssistantProfile

OWN = AssistantProfile(
    name="Law",
    description="Reads laws",
    emoji="⚖️",
    instructions="Name the article.",
    model="ministral-3-3b",
    web="off",
    tools=("run_python",),
    starters=("What does Art. 5 say?",),
)
GPT: dict[str, Any] = {
    "gizmo": {
        "id": "g-abc",
        "display": {
            "name": "Data  helper",
            "description": "Looks at tables",
            "prompt_starters": ["Check this file", ""],
            "profile_picture_url": "https://files.example/p.png",
        },
        "instructions": "Be careful.",
    },
    "tools": [
        {"id": "t1", "type": "browser"},
        {"id": "t2", "type": "python"},
        {"id": "t3", "type": "dalle"},
        {"id": "t4", "type": "plugins_prototype"},
    ],
    "files": [{"id": "f1", "name": "a.pdf"}],
}
ASSISTANT: dict[str, Any] = {
    "id": "asst_x",
    "object": "assistant",
    "name": "Maths",
    "description": None,
    "model": "gpt-4o",
    "instructions": "Show the steps.",
    "tools": [
        {"type": "code_interpreter"},
        {"type": "file_search"},
        {"type": "function", "function": {"name": "get_weather", "parameters": {}}},
    ],
    "tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}},
    "temperature": 0.2,
    "response_format": "auto",
}


def test_an_own_file_comes_back_as_it_was() -> None:
    assert read_assistant_file(export_assistant(OWN)).profile == OWN
    assert read_assistant_file(export_assistant(AssistantProfile(name="a"))).profile == AssistantProfile(name="a")


def test_a_gpt_is_taken_over_and_the_rest_named() -> None:
    found = read_assistant_file(orjson.dumps(GPT))
    assert found.profile == AssistantProfile(
        name="Data helper",
        description="Looks at tables",
        instructions="Be careful.",
        web="auto",
        tools=("search_web", "read_page", "run_python", "draw_picture"),
        starters=("Check this file",),
    )
    assert found.left_out == ("plugins_prototype", "files", "profile_picture")


def test_an_assistant_of_the_api_is_taken_over_and_the_rest_named() -> None:
    found = read_assistant_file(orjson.dumps(ASSISTANT))
    assert (found.profile.name, found.profile.web, found.profile.model) == ("Maths", None, None)
    assert found.profile.tools == ("run_python", "search_documents", "read_document")
    assert found.left_out == ("function: get_weather", "tool_resources", "model: gpt-4o", "temperature: 0.2")


def test_capabilities_of_a_form_are_understood() -> None:
    form = {
        "name": "Form",
        "instructions": "x",
        "conversation_starters": ["Go"],
        "capabilities": {"web_browsing": True, "image_generation": False, "canvas": True},
        "actions": [{"domain": "x.example"}],
    }
    found = read_assistant_file(orjson.dumps(form))
    assert (found.profile.web, found.profile.tools) == (
        "auto",
        ("search_web", "read_page", "open_canvas", "edit_canvas"),
    )
    assert (found.profile.starters, found.left_out) == (("Go",), ("actions",))


def test_what_is_too_long_is_cut_and_said() -> None:
    found = read_assistant_file(orjson.dumps({"name": "n" * 90, "instructions": "x" * 30_000}))
    assert (len(found.profile.name), len(found.profile.instructions)) == (60, 20_000)
    assert found.left_out == ("instructions after 20,000 characters",)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "no JSON"),
        (b"[]", "no assistant"),
        (b"{}", "lacks a name"),
        (b'{"name": "a"}', "lacks a name, or instructions"),
        (b'{"name": 5, "instructions": []}', "lacks a name"),
        (b'{"format": "eclair.assistant", "version": 2, "name": "a"}', "newer"),
        (b'{"format": "eclair.assistant", "version": 1, "name": ""}', "'name'"),
        (b'{"format": "eclair.assistant", "version": 1, "name": "a", "colour": 1}', "'colour'"),
        (b'{"format": "eclair.assistant", "version": 1, "name": "a", "tools": ["two words"]}', "'tools.0'"),
        (b'{"name": "a\\u0000b", "instructions": "x"}', "'name'"),
        (b" " * (1 << 20) + b"{}", "1 MB"),
    ],
)
def test_what_is_no_assistant_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_assistant_file(data)
    assert said in refused.value.message

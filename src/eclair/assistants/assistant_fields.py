"""The fields of an assistant as people and files state them, checked at the door."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from eclair.schema.assistants import (
    MAX_ASSISTANT_DESCRIPTION_CHARS,
    MAX_ASSISTANT_INSTRUCTIONS_CHARS,
    MAX_ASSISTANT_LIBRARIES,
    MAX_ASSISTANT_NAME_CHARS,
    MAX_ASSISTANT_TOOLS,
    MAX_EMOJI_CHARS,
    MAX_STARTER_CHARS,
    MAX_STARTERS,
    AssistantProfile,
)
from eclair.schema.messages import Web


def _one_line(text: str) -> str:
    line = " ".join(unicodedata.normalize("NFC", text).split())
    if any(unicodedata.category(character) == "Cc" for character in line):
        raise ValueError("it holds a control character; remove it")
    return line


def _filled(text: str) -> str:
    if not text:
        raise ValueError("it is empty; write something")
    return text


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character; remove it")
    return text.strip()


def _emoji(text: str) -> str:
    if any(character.isalnum() and character.isascii() for character in text) or len(text.split()) > 1:
        raise ValueError("choose one emoji")
    return text


_Line = AfterValidator(_one_line)
AssistantName = Annotated[str, Field(max_length=MAX_ASSISTANT_NAME_CHARS), _Line, AfterValidator(_filled)]
StarterQuestion = Annotated[str, Field(max_length=MAX_STARTER_CHARS), _Line, AfterValidator(_filled)]
AssistantToolName = Annotated[str, Field(pattern=r"^[\w.:-]{1,128}$")]
LibraryId = Annotated[str, Field(pattern=r"^lib_\w{1,64}$")]


class AssistantFields(BaseModel):
    """The fields of an assistant."""

    model_config = ConfigDict(extra="forbid")

    name: AssistantName
    description: Annotated[str, Field(max_length=MAX_ASSISTANT_DESCRIPTION_CHARS), _Line] = ""
    emoji: Annotated[str, Field(max_length=MAX_EMOJI_CHARS), _Line, AfterValidator(_emoji)] = ""
    instructions: Annotated[str, Field(max_length=MAX_ASSISTANT_INSTRUCTIONS_CHARS), AfterValidator(_text)] = ""
    model: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    web: Web | None = None
    tools: Annotated[tuple[AssistantToolName, ...] | None, Field(max_length=MAX_ASSISTANT_TOOLS)] = None
    libraries: Annotated[tuple[LibraryId, ...], Field(max_length=MAX_ASSISTANT_LIBRARIES)] = ()
    starters: Annotated[tuple[StarterQuestion, ...], Field(max_length=MAX_STARTERS)] = ()

    def profile(self) -> AssistantProfile:
        return AssistantProfile(
            name=self.name,
            description=self.description,
            emoji=self.emoji,
            instructions=self.instructions,
            model=self.model,
            web=self.web,
            tools=None if self.tools is None else tuple(dict.fromkeys(self.tools)),
            libraries=tuple(dict.fromkeys(self.libraries)),
            starters=tuple(dict.fromkeys(self.starters)),
        )

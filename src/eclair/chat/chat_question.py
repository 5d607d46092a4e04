"""A question as it comes to be answered: whose it is, its history, and the choices made for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eclair.chat.turn_options import TurnOptions
from eclair.schema.assistants import AssistantProfile
from eclair.schema.messages import Conversation, Message, Sampling, Web
from eclair.schema.principal import Principal
from eclair.storage.projects import Project
from eclair.tools.draw_picture import AnswerRef


@dataclass(frozen=True, slots=True)
class ChatQuestion:
    """A principal's question, or an answer to resume: the last message of `history`.

    `run` is the answer's run. Without a `conversation` nothing is stored. `answer` says which answer generated images
    belong to; None where the model may not generate any. `accepted` is when the question arrived, on
    `time.perf_counter`. `project` is that of the conversation, once `AnswerRequests` has found it. `assistant_id`
    names the assistant of a conversation that isn't stored; `assistant` is the conversation's, once it was found too.
    """

    principal: Principal
    run: str
    history: Sequence[Message]
    options: TurnOptions
    accepted: float
    conversation: Conversation | None = None
    answer: AnswerRef | None = None
    project: Project | None = None
    assistant_id: str | None = None
    assistant: AssistantProfile | None = None

    @property
    def asked(self) -> Sequence[Message]:
        """The history up to the question, without the answer to resume."""
        return self.history[:-1] if self.resumes is not None else self.history

    @property
    def has_begun(self) -> bool:
        """False for an answer to resume that has no word yet: such an answer starts over, with what its run read."""
        return self.resumes is None or bool(self.resumes.parts)

    @property
    def resumes(self) -> Message | None:
        return self.history[-1] if self.history[-1].role == "assistant" else None

    @property
    def conversation_id(self) -> str | None:
        return self.conversation.id if self.conversation is not None else None

    @property
    def web(self) -> Web:
        stored = self.conversation.web if self.conversation is not None else None
        default = self.project.web if self.project is not None else None
        return self.options.web or stored or default or "off"

    @property
    def sampling(self) -> Sampling:
        asked, stored = self.options.sampling, self.conversation
        if stored is None:
            return asked
        return replace(
            asked,
            temperature=stored.temperature if asked.temperature is None else asked.temperature,
            max_tokens=asked.max_tokens or stored.max_tokens,
        )

    @property
    def system(self) -> str | None:
        """The system prompt; None for that of the settings."""
        stored = self.conversation.system if self.conversation is not None else None
        return stored if self.options.system is None else self.options.system

"""The sources of a research, and the tools of its sub-agents: as the person, the project and the web policy allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from eclair.chat.chat_question import ChatQuestion
from eclair.documents.service import DocumentService
from eclair.errors import InvalidInput
from eclair.generation.tools import Tool
from eclair.research.sub_agents import AgentTask, ResearchSources
from eclair.schema.messages import Part
from eclair.tools.source_tools import document_tools, web_tools
from eclair.web.question import WebQuestion
from eclair.web.retriever import WebService


@dataclass(frozen=True, slots=True)
class ResearchAccess:
    """Access of one research to the web and to documents.

    `may_call` says which tools a model may call. `private` texts are in the prompt, and don't go to the web.
    """

    web: WebService
    documents: DocumentService
    scripted: Sequence[Tool]
    may_call: Callable[[str], bool]
    private: Sequence[str]

    def sources(self, question: ChatQuestion) -> ResearchSources:
        """Return what the research may look into: the web unless it was switched off, and the conversation's documents.

        Raises RightMissing, and InvalidInput if there is neither.
        """
        stored = question.conversation.web if question.conversation is not None else None
        lookup = self.documents.make_lookup(question.principal, question.asked)
        is_off = (question.options.web or stored) == "off"
        if lookup is None and is_off:
            raise InvalidInput("There is nothing to look into: turn on the web, or attach files or a library.")
        if lookup is None:
            self.web.require_open(question.principal)
        uses_web = not is_off and self.web.may_use(question.principal)
        return ResearchSources(self.web, lookup, partial(self._tools, question, uses_web), uses_web)

    def _tools(self, question: ChatQuestion, uses_web: bool, task: AgentTask) -> tuple[Tool, ...]:
        """Return the tools of a sub-agent, which only look something up.

        The words of a question that the person saw are theirs; those of a further one aren't.
        """
        history = list(question.asked)
        if not task.is_further:
            asked = history[-1]
            history[-1] = replace(asked, parts=(Part("text", f"{asked.text}\n{task.question}"),))
        web_question = WebQuestion.last_in(history, question.principal, question.run, question.conversation_id)
        tools: tuple[Tool, ...] = (
            *(tool for tool in self.scripted if tool.access == "read"),
            *web_tools(self.web if uses_web else None, web_question, history, self.private),
            *document_tools(self.documents, question.principal, history),
        )
        return tuple(tool for tool in tools if self.may_call(tool.name))

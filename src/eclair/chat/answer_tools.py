"""The tools that the model of an answer may call, by what the person, project and assistant allow."""

from __future__ import annotations

from collections.abc import Sequence

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.chat.answer_memory import AnswerMemory
from eclair.chat.answer_skills import AnswerSkills
from eclair.chat.chat_question import ChatQuestion
from eclair.chat.preferences import PreferenceService
from eclair.chat.tool_demands import find_demand
from eclair.documents.service import DocumentService
from eclair.documents.vision import VisionService
from eclair.errors import NotFound
from eclair.generation.demanded_calls import ToolDemand
from eclair.generation.route import Route
from eclair.generation.tools import Tool
from eclair.generation.usage import AskModel
from eclair.images.service import ImageService
from eclair.live_settings import LiveSettings
from eclair.llm.base import control_tokens
from eclair.llm.registry import Registry
from eclair.python.python_service import FilePreview, PythonService
from eclair.schema.assistants import AssistantProfile
from eclair.schema.messages import Attachment
from eclair.storage.canvases import CanvasStore
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.projects import Project
from eclair.text.intent.canvas import names_canvas
from eclair.tools.calculate import CalculateDatesTool, CalculateTool
from eclair.tools.canvases import ConversationCanvases, EditCanvasTool, OpenCanvasTool
from eclair.tools.draw_picture import ImageTool
from eclair.tools.edit_picture import EditPictureTool, made_pictures
from eclair.tools.look_at_picture import LookTool, PictureViewer
from eclair.tools.mcp_tools import McpToolSource
from eclair.tools.remember import ForgetTool, MemoryAccess, RememberTool
from eclair.tools.run_python import PythonTool
from eclair.tools.scripted_tools import scripted_tools
from eclair.tools.source_tools import document_tools, web_tools
from eclair.web.question import WebQuestion
from eclair.web.retriever import WebService


class AnswerTools:
    """Gives answers their tools. Everything from `preferences` on is optional."""

    def __init__(
        self,
        settings: LiveSettings,
        registry: Registry,
        memory: AnswerMemory,
        preferences: PreferenceService | None = None,
        documents: DocumentService | None = None,
        vision: VisionService | None = None,
        web: WebService | None = None,
        images: ImageService | None = None,
        python: PythonService | None = None,
        rights: RightRules = OPEN_RULES,
        canvases: tuple[CanvasStore, ChangeFeed] | None = None,
        ask: AskModel | None = None,
        mcp: McpToolSource | None = None,
        skills: AnswerSkills | None = None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._memory = memory
        self._preferences = preferences
        self._documents = documents
        self._vision = vision
        self._web = web
        self._images = images
        self._python = python
        self._rights = rights
        self._canvases = canvases
        self._ask = ask
        self._mcp = mcp
        self._skills = skills

    async def make(self, question: ChatQuestion, private: Sequence[str] = ()) -> tuple[Tool, ...]:
        """Return the tools that the person may have called, and the project offers, always in the same order.

        `private` texts are in the prompt, and don't go to the web.
        """
        scripted = scripted_tools(self._settings.current.data_dir) if self._settings.current.scripted else ()
        tools: tuple[Tool, ...] = (
            *scripted,
            *await self._image_tools(question),
            *await self._look_tools(question),
            *self._python_tools(question),
            *await self._canvas_tools(question),
            *await self._memory_tools(question),
            CalculateTool(),
            CalculateDatesTool(),
            *self._source_tools(question, private),
            *await self._skill_tools(question),
            *await self._mcp_tools(question),
        )
        return tuple(tool for tool in tools if self.may_call(question, tool.name))

    def may_call(self, question: ChatQuestion, tool: str) -> bool:
        """Return whether the person may have a tool called, and the project or assistant offers it."""
        chosen = chosen_tools(question.assistant, question.project)
        return (chosen is None or tool in chosen) and self._rights.may(question.principal, f"tool:{tool}")

    async def find_demand(self, question: ChatQuestion, route: Route, tools: Sequence[Tool]) -> ToolDemand | None:
        """Return the tool that a model is to call which calls on demand; None where the web or a picture is wanted."""
        if not route.model.calls_on_demand or question.resumes is not None or question.web == "on":
            return None

        async def preview(files: Sequence[Attachment]) -> list[FilePreview]:
            assert self._python is not None
            conversation = question.answer.conversation if question.answer is not None else ""
            return await self._python.preview_files(question.principal, conversation, files)

        tokens = await control_tokens(route.engine, route.model)
        return await find_demand(question.asked, tools, preview, tokens)

    async def _mcp_tools(self, question: ChatQuestion) -> Sequence[Tool]:
        if self._mcp is None:
            return ()
        return await self._mcp.tools(
            question.principal,
            question.answer,
            question.options.mcp_servers,
            chosen_tools(question.assistant, question.project),
        )

    async def _memory_tools(self, question: ChatQuestion) -> tuple[Tool, ...]:
        memory = await self._memory.open_to(question)
        if memory is None or question.answer is None:
            return ()
        wish = memory.find_wish(question.principal, question.asked[-1].text)
        access = MemoryAccess(memory, question.answer, question.history, wish)
        return RememberTool(access), ForgetTool(access)

    def _source_tools(self, question: ChatQuestion, private: Sequence[str]) -> tuple[Tool, ...]:
        """Return the tools that look something up: on the web unless that is off, and in documents if there are any."""
        conversation = question.conversation.id if question.conversation is not None else None
        asked = WebQuestion.last_in(question.history, question.principal, question.run, conversation)
        web = self._web if question.web != "off" else None
        return (
            *web_tools(web, asked, question.history, private),
            *document_tools(self._documents, question.principal, question.history),
        )

    async def _skill_tools(self, question: ChatQuestion) -> tuple[Tool, ...]:
        if self._skills is None:
            return ()
        conversation = question.answer.conversation if question.answer is not None else None
        return await self._skills.tools(question.principal, conversation)

    def _python_tools(self, question: ChatQuestion) -> tuple[PythonTool, ...]:
        if self._python is None or question.answer is None:
            return ()
        return (PythonTool(self._python, question.principal, question.answer.conversation),)

    async def _image_tools(self, question: ChatQuestion) -> tuple[Tool, ...]:
        if self._images is None or question.answer is None or not self._images.is_open_to(question.principal):
            return ()
        draws = question.options.draws
        if draws is None:
            draws = self._preferences is not None and (await self._preferences.get(question.principal)).draws
        if not draws:
            return ()
        given = (self._images, question.principal, question.answer, question.history)
        can_edit = bool(made_pictures(question.history)) and await self._images.can_edit()
        return (ImageTool(*given), EditPictureTool(*given)) if can_edit else (ImageTool(*given),)

    async def _look_tools(self, question: ChatQuestion) -> tuple[LookTool, ...]:
        if self._images is None or self._vision is None or self._ask is None or question.conversation is None:
            return ()
        history = question.history
        if not (made_pictures(history) or any(message.files for message in history)):
            return ()
        viewers = [each for each in await self._registry.ready() if each[1].vision_pixels is not None]
        return (LookTool(PictureViewer(self._images, self._vision, self._ask, viewers, history)),)

    async def _canvas_tools(self, question: ChatQuestion) -> tuple[Tool, ...]:
        """Return the tools on canvases, where there is one or a question names it: other prompts stay short."""
        if self._canvases is None or question.answer is None:
            return ()
        store, changes = self._canvases
        conversation = question.answer.conversation
        is_named = any(message.role == "user" and names_canvas(message.text) for message in question.history)
        try:
            known = await store.list_canvases(question.principal, conversation)
        except NotFound:  # it is stored with this question
            known = []
        if not known and not is_named:
            return ()
        named = {canvas.id: canvas for canvas in known}
        canvases = ConversationCanvases(store, changes, question.principal, conversation, named)
        return OpenCanvasTool(canvases), EditCanvasTool(canvases)


def chosen_tools(assistant: AssistantProfile | None, project: Project | None) -> Sequence[str] | None:
    """Return the names of the tools that the assistant offers, or else the project; None for all."""
    if assistant is not None and assistant.tools is not None:
        return assistant.tools
    return project.tools if project is not None else None

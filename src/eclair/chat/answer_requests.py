"""Builds the `AnswerRequest` of a question: model, prompt, retriever and tools."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from eclair.assistants.service import AssistantService
from eclair.chat.answer_memory import AnswerMemory
from eclair.chat.answer_skills import NO_SKILL, AnswerSkills
from eclair.chat.answer_tools import AnswerTools
from eclair.chat.chat_question import ChatQuestion
from eclair.chat.preferences import PreferenceService
from eclair.chat.prefill import PrefillRequest
from eclair.chat.projects import ProjectService
from eclair.chat.research_access import ResearchAccess
from eclair.chat.routing import ModelRouter
from eclair.chat.standing_instructions import StandingInstructions
from eclair.chat.tree import last_question
from eclair.chat.turn_options import TurnOptions
from eclair.documents.reading_budget import reads_slowly
from eclair.documents.readings import READ_AS_USUAL, ReadingOptions
from eclair.documents.service import DocumentService
from eclair.documents.vision import VisionService
from eclair.errors import InvalidInput, NotFound, RightMissing
from eclair.generation.answer_checks import MakeChecker
from eclair.generation.answer_request import AnswerRequest
from eclair.generation.call_permissions import DefaultPermissions
from eclair.generation.conversation_prompt import KEPT_REMARK, NOT_KEPT_REMARK, ConversationPrompt
from eclair.generation.pipeline import AnswerPipeline
from eclair.generation.route import Route
from eclair.generation.shown_notes import ShownNotes
from eclair.generation.sources import KnownFindings, PassageNumbers, Retriever, combine
from eclair.generation.tool_loop import loop_budget
from eclair.generation.tools import Tool, offer_tools
from eclair.generation.untrusted import has_foreign_text
from eclair.generation.usage import AskModel, ask_uncounted
from eclair.images.service import ImageService
from eclair.live_settings import LiveSettings
from eclair.llm.registry import Registry
from eclair.memory.recall import NOTHING_RECALLED
from eclair.research.earlier_research import EarlierResearch
from eclair.research.plan import ResearchPlan, plan_research
from eclair.research.research_report import ResearchReport
from eclair.schema.canvases import Canvas
from eclair.schema.messages import Conversation, LibraryName, Message, Web
from eclair.schema.principal import Principal
from eclair.storage.feeds import FeedStore
from eclair.text.intent.picture_request import asks_for_picture
from eclair.text.intent.special_category import may_be_special_category
from eclair.tools.canvases import EditCanvasTool
from eclair.tools.draw_picture import ImageTool
from eclair.tools.permissions import ToolPermissions
from eclair.tools.scripted_tools import scripted_tools
from eclair.web.feeds.feed_retriever import FeedRetriever
from eclair.web.question import WebQuestion
from eclair.web.retriever import WebService


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Choices for an answer: `memories` are the ids of those in the prompt, `skill` says which skill is there."""

    route: Route
    prompt: ConversationPrompt
    tools: tuple[Tool, ...]
    memories: tuple[str, ...]
    skill: str | None


class AnswerRequests:
    """Builds answer requests. Everything from `preferences` on is optional."""

    def __init__(
        self,
        settings: LiveSettings,
        registry: Registry,
        router: ModelRouter,
        tools: AnswerTools,
        memory: AnswerMemory,
        preferences: PreferenceService | None = None,
        documents: DocumentService | None = None,
        vision: VisionService | None = None,
        web: WebService | None = None,
        images: ImageService | None = None,
        projects: ProjectService | None = None,
        permissions: ToolPermissions | None = None,
        ask: AskModel | None = None,
        feeds: FeedStore | None = None,
        assistants: AssistantService | None = None,
        skills: AnswerSkills | None = None,
    ) -> None:
        self.memory = memory
        self._tools = tools
        self._skills = skills
        self._ask = ask
        self._assistants = assistants
        self._projects = projects
        self._feeds = feeds
        self._permissions = permissions
        self._settings = settings
        self._registry = registry
        self._router = router
        self._preferences = preferences
        self._documents = documents
        self._vision = vision
        self._web = web
        self._images = images
        self.shown_notes = ShownNotes()

    async def make(self, question: ChatQuestion) -> AnswerRequest:
        """Build the request of an answer.

        Raises NotFound, EngineUnavailable, and TooLarge if the question alone doesn't fit the model's window.
        """
        question = await self._with_assistant(await self._find_project(question))
        resumed = question.resumes
        if not question.has_begun:
            question = replace(question, history=question.asked)
        prepared = await self._prepare(question)
        route, prompt, tools = prepared.route, prepared.prompt, prepared.tools
        await prompt.check(route.engine, route.model)
        conversation = question.conversation.id if question.conversation is not None else None
        demand = await self._tools.find_demand(question, route, tools)
        options = ReadingOptions(
            question.run,
            question.options.thorough,
            resumed.run if resumed is not None else None,
            code_after="nothing" if demand is None else demand.gives_way_to,
        )
        numbers = PassageNumbers(question.history)
        retriever = self.retriever(
            question.principal,
            question.run,
            conversation,
            question.asked,
            question.web,
            options,
            numbers,
            gives_way=True,
        )
        retriever = None if demand is not None and demand.gives_way_to == "nothing" else retriever
        feeds = self._feed_retriever(question, numbers)
        return AnswerRequest(
            route,
            prompt,
            question.accepted,
            question.principal,
            combine(feeds, retriever),
            tools,
            checker=self._checker(question),
            numbers=numbers,
            permissions=self._permissions.of_conversation(
                conversation, question.options.allowed_tools, is_unattended=question.options.is_unattended
            )
            if self._permissions
            else DefaultPermissions(),
            is_tainted=has_foreign_text(question.history),
            asked_words="\n".join(message.text for message in question.history if message.role == "user"),
            can_wait=conversation is not None and self._permissions is not None,
            resumes=question.resumes,
            is_carried=question.conversation is not None,
            reviews_doubts=True,
            budget=loop_budget(self._settings.current),
            memories=prepared.memories,
            skill=prepared.skill,
            demand=demand,
        )

    def is_embedded(self, request: AnswerRequest) -> bool:
        """Return whether the embedded engine answers, which has the memory for one model at a time."""
        return request.route.engine is self._registry.local

    async def check_draft(self, question: ChatQuestion) -> bool:
        """Return whether it pays to read ahead for each draft of a question. Raises what `make` raises."""
        question = await self._with_assistant(await self._find_project(question))
        prepared = await self._prepare(question, is_complete=False)
        route = prepared.route
        await prepared.prompt.check(route.engine, route.model)
        searches = self._documents is not None and self._documents.has_scope(question.principal, question.history)
        return searches and reads_slowly(route.model)

    async def wait_for_files(self, question: ChatQuestion) -> None:
        """Wait until the files of a question can be searched, for a while."""
        documents = self._documents.make_retriever(question.principal, question.history) if self._documents else None
        if documents is not None:
            await documents.wait_until_searchable()

    async def prefill(self, question: ChatQuestion, *, has_draft: bool = False) -> PrefillRequest:
        """Return the part of the prompt that is known while the question is written.

        If the question `has_draft`, what fits it is searched for a slow model. Raises what `make` raises.
        """
        question = await self._with_assistant(await self._find_project(question))
        prepared = await self._prepare(question, is_complete=False)
        route, prompt = prepared.route, prepared.prompt
        documents = self._documents.make_retriever(question.principal, question.history) if self._documents else None
        known = KnownFindings()
        if documents is not None:
            known = await documents.known_findings(route.model, has_draft=has_draft)
        prompt = replace(prompt, open_block=known.open_block, shown_notes=prompt.shown_notes.copy())
        turn = await prompt.build(route.engine, route.model, known.passages, known.notes)
        tools = tuple(definition for _, definition in offer_tools(prepared.tools, turn, known.passages))
        request = replace(turn.request, tools=tools, purpose="prefill")
        note = partial(documents.note_read_ahead, route.model) if documents is not None else None
        return PrefillRequest(route.engine, request, note)

    async def plan(self, principal: Principal, request: str, options: TurnOptions) -> ResearchPlan:
        """Plan the questions of a report. Raises what `make` raises for want of a model."""
        route = await self._router.route(principal, options)
        ask = self._ask or ask_uncounted
        return await plan_research(principal, request, route.engine, route.model, ask, date.today())

    async def report(
        self,
        pipeline: AnswerPipeline,
        request: AnswerRequest,
        question: ChatQuestion,
        plan: Sequence[str],
        earlier: Message | None = None,
    ) -> ResearchReport:
        """Build a research report on the questions of `plan`, in place of one answer; `earlier` is one to go on with.

        Raises RightMissing, and InvalidInput if there is nothing to look into.
        """
        if self._web is None or self._documents is None or self._ask is None:
            raise InvalidInput("This Éclair has no web access, so nothing can be looked up.")
        question = await self._with_assistant(await self._find_project(question))
        prompt = request.prompt
        assert isinstance(prompt, ConversationPrompt)
        access = ResearchAccess(
            self._web,
            self._documents,
            scripted_tools(self._settings.current.data_dir) if self._settings.current.scripted else (),
            partial(self._tools.may_call, question),
            (*prompt.memories, prompt.instructions),
        )
        web_question = WebQuestion.last_in(question.asked, question.principal, question.run, question.conversation_id)
        return ResearchReport(
            access.sources(question),
            pipeline,
            request,
            web_question,
            plan,
            question.asked,
            self._documents.readings,
            self._ask,
            None if earlier is None else EarlierResearch(earlier),
        )

    async def attach(
        self,
        principal: Principal,
        question: Message,
        files: Sequence[str],
        libraries: Sequence[str],
        conversation: Conversation | None = None,
    ) -> Message:
        """Return the question with its files and libraries attached, those of its project too. Raises NotFound."""
        if self._documents is None:
            return question
        if question.wish is None and self._projects is not None and conversation is not None:
            libraries = [*libraries, *await self._projects.list_libraries(principal, conversation.project_id)]
        if not (files or libraries):
            return question
        return replace(
            question,
            files=await self._documents.get_attachments(principal, files),
            libraries=await self._documents.get_libraries(principal, libraries),
        )

    def expect_web(self) -> None:
        """Prepare for a web question that is being written."""
        if self._web is not None:
            self._web.prewarm()

    def retriever(
        self,
        principal: Principal,
        run: str,
        conversation: str | None,
        history: Sequence[Message],
        web: Web | None,
        options: ReadingOptions = READ_AS_USUAL,
        numbers: PassageNumbers | None = None,
        *,
        gives_way: bool = False,
    ) -> Retriever | None:
        """Return the retriever for the last question; None if there is nothing to search.

        With `web` None, the web isn't mentioned at all. One that `gives_way` leaves it to a model that can look up
        by itself whether to search the web, and for what else to search documents.
        """
        numbers = numbers or PassageNumbers(history)
        documents = (
            self._documents.make_retriever(
                principal, history, numbers, options, gives_way=gives_way, is_stored=conversation is not None
            )
            if self._documents is not None
            else None
        )
        if self._web is None or web is None:
            return documents
        question = WebQuestion.last_in(history, principal, run, conversation)
        found = self._web.make_retriever(
            question, numbers, setting=web, has_documents=documents is not None, gives_way=gives_way
        )
        return combine(documents, found)

    def _feed_retriever(self, question: ChatQuestion, numbers: PassageNumbers) -> FeedRetriever | None:
        """Return the retriever of the feeds that the turn names; None without any, or where they may not be used."""
        web, chosen = self._web, question.options.feeds
        if self._feeds is None or web is None or web.store is None or not chosen:
            return None
        conversation = question.conversation.id if question.conversation is not None else None
        asked = WebQuestion.last_in(question.asked, question.principal, question.run, conversation)
        return FeedRetriever(self._feeds, web.store, web.embedder, asked, numbers, chosen)

    async def _find_project(self, question: ChatQuestion) -> ChatQuestion:
        conversation = question.conversation
        if self._projects is None or conversation is None:
            return question
        return replace(question, project=await self._projects.find(question.principal, conversation.project_id))

    async def _with_assistant(self, question: ChatQuestion) -> ChatQuestion:
        """Add the assistant of the conversation, and have its files searched from the first question on."""
        id = question.assistant_id if question.conversation is None else question.conversation.assistant_id
        if id is None or self._assistants is None:
            return question
        assistant = await self._assistants.find(question.principal, id)
        if assistant is None:
            return question
        libraries = await self.open_libraries(question.principal, assistant.libraries)
        first = next(at for at, message in enumerate(question.history) if message.role == "user")
        history = list(question.history)
        searched = dict.fromkeys((*history[first].libraries, *libraries))
        history[first] = replace(history[first], libraries=tuple(searched))
        return replace(question, history=history, assistant=assistant.profile)

    async def open_libraries(self, principal: Principal, ids: Sequence[str]) -> tuple[LibraryName, ...]:
        """Return those of an assistant's libraries that have files and its user may read."""
        if self._documents is None:
            return ()
        found: list[LibraryName] = []
        for id in ids:
            with contextlib.suppress(NotFound, RightMissing):
                if await self._documents.has_files(principal, id):
                    found += await self._documents.get_libraries(principal, [id])
        return tuple(found)

    async def _prepare(self, question: ChatQuestion, *, is_complete: bool = True) -> _Prepared:
        """Choose the model and the tools, and build the prompt, without the question unless `is_complete`."""
        principal, options, history = question.principal, question.options, question.history
        project = question.project
        route = await self._router.route(
            principal, options, question.conversation, history, default=None if project is None else project.model
        )
        preferences = await self._preferences.get(principal) if self._preferences is not None else None
        memory, recalled, remark = await self.memory.open_to(question), NOTHING_RECALLED, ""
        if memory is not None and question.conversation is not None:
            asked, begun = question.asked[-1].text if is_complete else "", question.conversation.created
            recalled = await memory.recall(principal, begun, asked, route.model.context, project)
            wish = memory.find_wish(principal, asked)
            if wish is not None:
                remark = NOT_KEPT_REMARK if may_be_special_category(wish) else KEPT_REMARK
        settings = self._settings.current
        instructions = StandingInstructions(
            house=settings.system_prompt if question.system is None else question.system,
            person=preferences.instructions if preferences is not None else None,
            project=project.instructions if project is not None else None,
            assistant=question.assistant.instructions if question.assistant is not None else None,
        ).text
        memories = [each.text for each in recalled.head]
        near = [each.text for each in recalled.near] if is_complete else ()
        tools = await self._tools.make(question, (*memories, *near, instructions))
        skill = NO_SKILL
        if self._skills is not None and is_complete:
            skill = await self._skills.read_for(route.model, tools, question.asked[-1].text)
        prompt = ConversationPrompt(
            settings,
            self._registry,
            route,
            history,
            principal,
            instructions,
            question.sampling,
            self._vision,
            self._wants_picture(question),
            may_draw=any(isinstance(tool, ImageTool) for tool in tools),
            memories=memories,
            recalled=near,
            skill=skill.text,
            remark=remark,
            canvases=_canvases(tools) if is_complete else (),
            shown_notes=ShownNotes() if question.conversation is None else self.shown_notes,
            spoken=options.spoken,
        )
        return _Prepared(route, prompt, tools, recalled.ids, skill.title)

    def _wants_picture(self, question: ChatQuestion) -> bool:
        """Return whether the question asks for a picture, and one can be stored with its answer."""
        asked = question.asked[-1]
        return self._images is not None and question.answer is not None and asks_for_picture(asked.text)

    def _checker(self, question: ChatQuestion) -> MakeChecker | None:
        """Return what checks an answer by the passages that tools bring."""
        source = self._documents or self._web
        return partial(source.checker, last_question(question.asked)) if source is not None else None


def _canvases(tools: Sequence[Tool]) -> Sequence[Canvas]:
    """Return the canvases that calls may change, the oldest first."""
    return next((tool.known for tool in tools if isinstance(tool, EditCanvasTool)), ())

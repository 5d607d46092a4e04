"""`eclair chat`: a conversation at the terminal, stored with those of the web app."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import re
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from eclair.app import App, open_app
from eclair.chat.tree import NewMessage, Regenerate, Resume
from eclair.chat.turn_options import TurnOptions
from eclair.cli._arguments import load_settings, sampling_options
from eclair.cli._call_prompts import CallPrompts, RunReplies
from eclair.cli._calls import list_made_files
from eclair.cli._logging import log_if_debugging
from eclair.cli._made_files import write_made_file
from eclair.cli._printer import Printer, exit_code
from eclair.cli._prompt import InteractiveLines, LineReader, completions, open_lines
from eclair.cli._signals import hide_typing, on_interrupt, run_async
from eclair.cli._sources import ingest_file
from eclair.cli._terminal import Terminal
from eclair.cli.draw import write_image
from eclair.documents.folder_sync import resolve_roots
from eclair.errors import EclairError, InvalidInput, NotFound
from eclair.schema.assistants import Assistant
from eclair.schema.events import CallElicited, RunFailed, RunWaiting, decode
from eclair.schema.messages import MODES, WEBS, Conversation, Message, Mode, Web, branch
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.conversations import ConversationEdit
from eclair.storage.runs import RunRecord
from eclair.transfer.export_view import image_file_name

COMMANDS = {
    "/retry": "another answer to your last message",
    "/continue": "the rest of an answer that was cut off",
    "/file": "with a path, have the next message answered from that file",
    "/library": "list the libraries, or with a name have the next message answered from one",
    "/model": "list the models, or with a name choose one",
    "/flash": "answer fast from now on, without thinking",
    "/think": "think before each answer from now on, with the strongest model",
    "/auto": "flash or think, as each question asks for",
    "/web": "with on, auto or off, set web search from now on",
    "/save": "write the images of the last answer, and the files that it made, here or into the folder given",
    "/history": "show the conversation",
    "/new": "begin another conversation",
    "/help": "list the commands",
    "/quit": "leave; so does Ctrl-D",
}
_COMMAND = re.compile(r"(/\w+)(?:\s+(.*))?", re.DOTALL)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    options = TurnOptions(arguments.model, arguments.mode, arguments.system, sampling_options(arguments))
    return run_async(_chat(settings, arguments, options, terminal))


async def _chat(settings: Settings, arguments: argparse.Namespace, options: TurnOptions, terminal: Terminal) -> int:
    id: str | None = arguments.conversation
    project: str | None = arguments.project
    named: str | None = arguments.assistant
    async with open_app(settings) as app:
        if project is not None:
            project = (await app.storage.projects.get_project_by_name(LOCAL_PRINCIPAL, project)).id
        conversation = await app.storage.conversations.get_conversation(LOCAL_PRINCIPAL, id) if id else None
        if arguments.latest:
            listed = await app.storage.conversations.list_conversations(LOCAL_PRINCIPAL, 1)
            conversation = max([*listed.pinned, *listed.conversations], key=lambda each: each.updated, default=None)
            if conversation is None:
                raise NotFound("There is no conversation yet; start one with `eclair chat`.")
        assistant = await app.assistants.get_by_name(LOCAL_PRINCIPAL, named) if named is not None else None
        if assistant is not None:
            profile = assistant.profile
            options = replace(options, model=options.model or profile.model, web=options.web or profile.web)
        return await Chat(app, terminal, options, conversation, project, assistant).run()


class Chat:
    """A chat session. The conversation is created with its first message, not before."""

    def __init__(
        self,
        app: App,
        terminal: Terminal,
        options: TurnOptions,
        conversation: Conversation | None,
        project: str | None = None,
        assistant: Assistant | None = None,
    ) -> None:
        self._assistant = assistant
        self._app = app
        self._project = project
        self._terminal = terminal
        self._options = options
        self._conversation = conversation
        self._models: list[str] = []
        self._files: list[str] = []
        self._libraries: list[str] = []
        self._run: RunRecord | None = None
        self._lines: LineReader | None = None
        self._printer: Printer | None = None
        self._seen = 0
        """The number of the last event that was shown of the answer."""
        self._failed = 0
        self._done = False

    async def run(self) -> int:
        """Answer line after line; return an exit code, for piped input that of the last failure."""
        model = (await self._app.router.route(LOCAL_PRINCIPAL, self._options, self._conversation)).model
        self._models = [known.id for known in await self._app.registry.models()]
        settings = self._app.settings
        self._lines = lines = open_lines(
            settings.data_dir / "chat_history",
            settings.max_message_kb * 1024,
            lambda typed: completions(typed, list(COMMANDS), self._models),
        )
        self._terminal.note(f"Éclair · {model.id} · /help lists commands, Alt-Enter starts a new line, Ctrl-D leaves")
        self._introduce()
        if self._conversation is not None and self._terminal.is_interactive:
            await self._show_history()
        while not self._done:
            try:
                line = await lines.read()
                if line is None:
                    break
                await self._handle(line)
            except EclairError as error:
                self._failed = error.exit_code
                self._terminal.warn(error.message)
        if self._conversation is not None:
            self._terminal.note(f"Saved as {self._conversation.id}; `eclair chat --continue` resumes it.")
        return 0 if isinstance(lines, InteractiveLines) else self._failed

    def _introduce(self) -> None:
        if self._assistant is None:
            return
        profile = self._assistant.profile
        self._terminal.note(f"{profile.emoji} {profile.name}".strip())
        for each in profile.starters:
            self._terminal.note(f"  › {each}")

    async def _handle(self, line: str) -> None:
        if not line.strip():
            return
        command = _COMMAND.fullmatch(line.strip())
        if command is None:
            await self._answer(NewMessage(line, files=tuple(self._files), libraries=tuple(self._libraries)))
            return
        name, given = command[1], (command[2] or "").strip()
        commands: dict[str, Callable[[], Awaitable[None]]] = {
            "/retry": self._retry,
            "/continue": self._continue,
            "/history": self._show_history,
            "/new": self._start_new,
            "/help": self._help,
            "/quit": self._quit,
            "/exit": self._quit,
        }
        mode: Mode | None = next((mode for mode in MODES if name == f"/{mode}"), None)
        takes: dict[str, Callable[[str], Awaitable[None]]] = {
            "/model": self._choose_model,
            "/file": self._attach,
            "/library": self._choose_library,
            "/web": self._choose_web,
            "/save": self._save,
        }
        if name in takes:
            await takes[name](given)
        elif name not in commands and mode is None:
            near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.0)[0]
            raise InvalidInput(f"There is no command {name}; did you mean {near}?")
        elif given:
            raise InvalidInput(f"{name} takes no argument; to send a message, start it without the slash.")
        elif mode is not None:
            await self._choose_mode(mode)
        else:
            await commands[name]()

    async def _answer(self, what: NewMessage | Regenerate | Resume) -> None:
        """Ask and show the answer, and have the person decide on its calls that wait, and answer their servers."""
        assert self._lines is not None
        prompts = CallPrompts(self._lines.read, self._terminal.note)
        run = await self._show(self._turn(what))
        while run is not None:
            message, _ = await self._app.runs.fold(run)
            await prompts.settle(message.calls, RunReplies(self._app, run))
            run = await self._show(self._follow(run, self._seen))

    async def _show(self, answering: Coroutine[Any, Any, RunRecord | None]) -> RunRecord | None:
        """Show an answer; Ctrl-C stops it without leaving the conversation. Returns a run that waits."""
        turn = asyncio.create_task(answering)
        stops: set[asyncio.Task[None]] = set()

        def stop() -> None:
            if self._run is None or stops:
                turn.cancel()
            else:
                stops.add(asyncio.create_task(self._app.runs.stop(self._run)))

        with hide_typing(), on_interrupt(stop):
            try:
                await asyncio.wait([turn])
                await asyncio.gather(*stops)
            finally:
                turn.cancel()
        self._terminal.end_line()
        if turn.cancelled():
            self._terminal.note("Stopped.")
            return None
        return await turn

    async def _turn(self, what: NewMessage | Regenerate | Resume) -> RunRecord | None:
        accepted = time.perf_counter()
        turns = self._app.turns
        assistant = None if self._assistant is None else self._assistant.id
        where = (
            self._conversation.id
            if self._conversation is not None
            else turns.new_conversation(
                LOCAL_PRINCIPAL, choices=self._options, project=self._project, assistant_id=assistant
            )
        )
        asked = await turns.ask(LOCAL_PRINCIPAL, where, what, self._options, accepted)
        self._conversation = self._conversation or await self._app.storage.conversations.get_conversation(
            LOCAL_PRINCIPAL, asked.run.conversation
        )
        if isinstance(what, NewMessage):
            self._files, self._libraries = [], []
        return await self._follow(asked.run, 0)

    async def _follow(self, run: RunRecord, after: int) -> RunRecord | None:
        """Print the events of a run after number `after`; return the run if it waits for a decision."""
        self._run = run
        self._printer = self._printer if after and self._printer is not None else Printer(self._terminal)
        try:
            async with aclosing(self._app.runs.follow(run, after)) as batches:
                async for batch in batches:
                    for event in map(decode, batch.lines):
                        self._printer.show(event)
                        self._seen = event.seq
                        if isinstance(event, RunFailed):
                            self._failed = exit_code(event.code)
                        if isinstance(event, RunWaiting | CallElicited):
                            return run
        finally:
            self._printer.close()
            self._run = None
        return None

    async def _branch(self) -> list[Message]:
        """Return the messages of the displayed branch. Raises InvalidInput if there are none."""
        if self._conversation is None:
            raise InvalidInput("There are no messages yet; write one first.")
        conversation, messages = await self._app.storage.conversations.get_tree(LOCAL_PRINCIPAL, self._conversation.id)
        return branch({message.id: message for message in messages}, conversation.leaf)

    async def _retry(self) -> None:
        questions = [message for message in await self._branch() if message.role == "user"]
        await self._answer(Regenerate(questions[-1].id))

    async def _continue(self) -> None:
        await self._answer(Resume((await self._branch())[-1].id))

    async def _show_history(self) -> None:
        for message in await self._branch():
            if message.role == "user":
                self._terminal.dim_line(f"› {message.text}")
            else:
                self._terminal.line(message.text)

    async def _save(self, given: str) -> None:
        folder = await asyncio.to_thread(_folder, given or ".")
        last = (await self._branch())[-1]
        parts, conversation = last.parts, last.conversation
        image_ids = [part.id for part in parts if part.kind == "picture" and part.id is not None]
        made = list_made_files(parts)
        if not image_ids and not made:
            raise InvalidInput("The last answer has no images, and made no files.")
        for id in image_ids:
            picture = await self._app.gallery.get_image(LOCAL_PRINCIPAL, id)
            path = folder / image_file_name(picture)
            self._terminal.line(str(await write_image(self._app.gallery, picture, path, self._terminal.umask)))
        for file in made:
            _, data = await self._app.python.read_file(LOCAL_PRINCIPAL, conversation, file.name, file.version)
            written = await asyncio.to_thread(write_made_file, folder, file.name, data, self._terminal.umask)
            self._terminal.line(str(written))

    async def _start_new(self) -> None:
        self._conversation = None
        self._terminal.note("The next message starts a new conversation.")

    async def _choose_model(self, name: str) -> None:
        if name:
            _, model = await self._app.registry.resolve(name)
            self._options = replace(self._options, model=model.id)
            await self._store_choice(ConversationEdit(model=model.id))
            self._terminal.note(f"{model.name} answers from now on.")
            return
        current = (await self._app.router.route(LOCAL_PRINCIPAL, self._options, self._conversation)).model
        for model in await self._app.registry.models():
            self._terminal.line(f"{'*' if model.id == current.id else ' '} {model.id}")

    async def _attach(self, given: str) -> None:
        """Attach a file to the next message; it is read while the message is being written."""
        if not given:
            raise InvalidInput("Which file? Write its path after /file.")
        (path,) = await asyncio.to_thread(resolve_roots, [Path(given)])
        file = await ingest_file(self._app.ingestor, path, self._app.settings.max_file_mb)
        self._files.append(file.file.id)
        self._terminal.note(f"{path.name} is attached to the next message.")

    async def _choose_library(self, name: str) -> None:
        if name:
            (library,) = await self._app.documents.get_libraries(LOCAL_PRINCIPAL, [name])
            self._libraries.append(library.name)
            self._terminal.note(f"The next message is answered from {library.name}.")
            return
        for listed in await self._app.storage.libraries.list_libraries(LOCAL_PRINCIPAL):
            files = f"{listed.files:,} file{'' if listed.files == 1 else 's'}"
            self._terminal.line(f"  {listed.library.name} ({files})")

    async def _choose_web(self, name: str) -> None:
        web: Web | None = next((web for web in WEBS if web == name), None)
        if web is None:
            current = self._options.web or (self._conversation.web if self._conversation is not None else None) or "off"
            raise InvalidInput(f"Web search is {current}; write /web on, /web auto or /web off.")
        self._options = replace(self._options, web=web)
        await self._store_choice(ConversationEdit(web=web))
        self._terminal.note(f"Web search: {web} from now on.")

    async def _choose_mode(self, mode: Mode) -> None:
        self._options = replace(self._options, mode=mode)
        await self._store_choice(ConversationEdit(mode=mode))
        self._terminal.note(f"Mode: {mode} from now on.")

    async def _store_choice(self, edit: ConversationEdit) -> None:
        """Store a choice with the conversation; a new one is created with it later."""
        if self._conversation is not None:
            self._conversation = await self._app.conversations.edit(LOCAL_PRINCIPAL, self._conversation.id, edit)

    async def _help(self) -> None:
        for name, help in COMMANDS.items():
            self._terminal.line(f"{name:<10} {help}")
        self._terminal.line("Ctrl-C stops an answer. Alt-Enter starts a new line. Everything else is a message.")

    async def _quit(self) -> None:
        self._done = True


def _folder(given: str) -> Path:
    """Return the folder of that path. Raises InvalidInput if there is none."""
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise InvalidInput(f"There is no folder {folder}; make it, or name another one after /save.")
    return folder

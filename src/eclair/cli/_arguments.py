"""Command-line arguments of `eclair`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import difflib
import math
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import eclair
from eclair.cli._admin_arguments import add_admin_options
from eclair.cli._assistant_arguments import add_assistant_options
from eclair.cli._canvas_arguments import add_canvas_options
from eclair.cli._mcp_arguments import add_mcp_options
from eclair.cli._memory_arguments import add_memory_options
from eclair.cli._permission_arguments import add_permission_options
from eclair.cli._plan_arguments import add_plan_options
from eclair.cli._project_arguments import add_project_options
from eclair.cli._prompt_arguments import add_prompt_options
from eclair.cli._schedule_arguments import add_schedule_options
from eclair.cli._skill_arguments import add_skill_options
from eclair.errors import InvalidInput
from eclair.schema.budgets import BUDGET_PERIODS
from eclair.storage.api_keys import KEY_SCOPES

if TYPE_CHECKING:
    from eclair.schema.messages import Sampling
    from eclair.settings import LoadedSettings

EXIT_CODES = """\
exit codes:
  0  success                    3  problem with the machine or its configuration
  1  bug in Éclair              4  problem with an engine or a server
  2  problem with the request 130  stopped with Ctrl-C
"""

ENGINE_APIS = ("openai", "anthropic", "gemini")
VERDICTS = ("begun", "passed", "failed", "refused", "interrupted")

REPORTS = ("ai-act", "literacy", "models", "records", "impact")

_FILE_HELP = "answer from this file, which is not stored; may be repeated"


class _Parser(argparse.ArgumentParser):
    """Reports errors in one sentence, like the rest of Éclair."""

    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"{self.prog}: {message}; `{self.prog} --help` lists the options.")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments; `module` names the command's module. Raises InvalidInput.

    Exits by itself after --help and --version.
    """
    parser, commands = build_parser()
    first = next(iter(argv), "")
    if first and not first.startswith("-") and first not in commands:
        near = difflib.get_close_matches(first, commands, n=1, cutoff=0.0)[0]
        raise InvalidInput(f"There is no command {first!r}; did you mean `eclair {near}`?")
    return parser.parse_args(argv)


def load_settings(arguments: argparse.Namespace) -> LoadedSettings:
    """Load the settings from the file, the environment and these arguments. Raises SettingsError."""
    from eclair.settings import load

    names = ("data_dir", "host", "port")
    given = {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
    return load(os.environ, given)


def sampling_options(arguments: argparse.Namespace) -> Sampling:
    """Return the sampling options given as arguments."""
    from eclair.schema.messages import Sampling

    return Sampling(temperature=arguments.temperature, max_tokens=arguments.max_tokens, seed=arguments.seed)


_Command = Callable[..., argparse.ArgumentParser]
"""Adds a command, given its name, its help, and parsers whose arguments it shares."""


@cache
def build_parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """Return the parser of all commands, and their names."""
    parser = _Parser(
        prog="eclair",
        description="Éclair: an AI assistant on hardware you own.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"Éclair {eclair.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)

    common = _Parser(add_help=False)
    common.add_argument("--data-dir", type=Path, metavar="DIR", help="folder for Éclair's data")

    def command(name: str, help: str, *parents: _Parser) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=_sentence(help), parents=[common, *parents])
        added.set_defaults(module=name)
        return added

    _add_asking(command, _answer_options())
    _add_documents(command)
    _add_web(command)
    _add_transfer(command)
    _add_models(command)
    _add_inspection(command)
    _add_records(command)
    return parser, list(commands.choices)


def _add_asking(command: _Command, answering: _Parser) -> None:
    ask = command("ask", "ask one question; nothing is stored", answering, _local_option())
    ask.add_argument("question", nargs="*", metavar="QUESTION", help="the question; piped text is added to it")
    ask.add_argument("-f", "--file", action="append", type=Path, metavar="FILE", help=_FILE_HELP)
    ask.add_argument("--library", action="append", metavar="NAME", help="answer from this library; may be repeated")
    ask.add_argument(
        "--thorough", action="store_true", help="read long documents in full, however long that takes the model"
    )
    ask.add_argument("--json", action="store_true", help="print the events, one per line")
    ask.add_argument("--web", action="store_true", help="search the web for the answer")
    ask.add_argument("--project", metavar="NAME", help="answer as in this project, from its files and instructions")
    ask.add_argument(
        "--mcp", action="append", metavar="NAME", help="have the model use this MCP server; may be repeated"
    )

    _add_voice(ask)

    edit = command("edit", "edit a text by an instruction; unchanged parts are not rewritten")
    edit.add_argument("file", type=Path, metavar="FILE", help="the text, or - for standard input")
    edit.add_argument("instruction", metavar="INSTRUCTION", help="what to change")
    edit.add_argument("--write", action="store_true", help="change the file; by default the changes are only shown")
    edit.add_argument("--model", metavar="ID", help="model that edits; `eclair models` lists them")
    edit.set_defaults(module="edit")

    chat = command("chat", "have a conversation, which is stored", answering)
    which = chat.add_mutually_exclusive_group()
    which.add_argument("--continue", dest="latest", action="store_true", help="continue the latest conversation")
    which.add_argument("--conversation", metavar="ID", help="continue this conversation")
    which.add_argument("--project", metavar="NAME", help="begin the conversation in this project")
    which.add_argument("--assistant", metavar="NAME", help="begin it with this assistant of `eclair assistants`")

    _add_draw_options(command("draw", "generate or edit images"))
    _add_research_options(command("research", "research questions on the web and write a report", answering))

    serve = command("serve", "serve the web app and the API")
    serve.add_argument("--host", metavar="ADDRESS", help="address to listen on")
    serve.add_argument("--port", type=int, metavar="N", help="port to listen on; 0 takes any free one")
    serve.add_argument(
        "--pull",
        action="store_true",
        help="download the small starter model first if there is none, and a better one in the background",
    )
    serve.add_argument("--no-fetch", action="store_true", help="with --pull, don't download the better model")
    worker = command("worker", "do background work for servers that share the database: reading, embedding, feeds")
    worker.add_argument(
        "--kinds",
        metavar="KIND,…",
        help="do only these: read, embed, feeds, schedules, batches, erase; all of them unless given",
    )
    worker.add_argument("--at-once", type=_positive, default=1, metavar="N", help="read so many documents at once (1)")
    worker.add_argument(
        "--metrics-port", type=int, metavar="N", help="serve /metrics and /api/health/live on this port"
    )
    worker.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="ADDRESS", help="address of that port (127.0.0.1)"
    )
    login = command("login", "sign in to an Éclair elsewhere; ask, models, libraries, files and add then go there")
    login.add_argument("url", metavar="URL", help="its address, such as https://ai.example.org")
    login.set_defaults(action="login", module="login")
    command("logout", "end the key of `eclair login`, and act on this machine again").set_defaults(
        action="logout", module="login"
    )
    service = command("service", "install Éclair as a service of systemd")
    service.add_argument("action", choices=("install",), help="write the unit, and tell systemd of it")
    service.add_argument("--user", action="store_true", help="for this account alone; the default but for root")
    service.add_argument("--worker", action="store_true", help="a worker in place of the server")
    service.add_argument("--print", action="store_true", help="only print the files")
    service.set_defaults(module="service")
    _add_budget_options(command("budget", "list, set and remove budgets, which limit what may be used"))
    _add_key_options(command("key", "make, list and revoke keys for programs and other people"))
    add_admin_options(command("admin", "list and change people and groups, or apply a policy file"))


def _add_voice(ask: argparse.ArgumentParser) -> None:
    ask.add_argument("--voice", action="store_true", help="ask by voice: record from the microphone until silence")
    ask.add_argument("--language", metavar="CODE", help="the language spoken with --voice, such as fr; else detected")
    ask.add_argument("--speak", action="store_true", help="read the answer aloud while it is written")
    ask.add_argument(
        "--speak-voice", metavar="NAME", help="the voice of --speak, such as bf_emma; else the language chooses"
    )
    ask.add_argument("--speak-speed", type=float, metavar="N", help="the speed of --speak, 0.25 to 4; default 1")


def _local_option() -> _Parser:
    """Build the option of commands that act where `eclair login` signed in."""
    option = _Parser(add_help=False)
    option.add_argument("--local", action="store_true", help="act on this machine, also while signed in elsewhere")
    return option


def _add_documents(command: _Command) -> None:
    local = _local_option()
    _add_add_options(command("add", "add files and folders to a library that questions can be answered from", local))
    libraries = command("libraries", "list and remove libraries", local)
    _add_listing_options(libraries, "NAME", "remove a library with its files")
    files = command("files", "list and remove files", local)
    files.add_argument("--library", metavar="NAME", help="only files of this library")
    _add_listing_options(files, "ID", "remove a file")
    add_project_options(command("projects", "list, begin, change and share projects"))
    add_prompt_options(command("prompts", "list, save, change and share prompts"))
    add_mcp_options(command("mcp", "list, add and remove MCP servers, whose tools models may call; serve as one"))
    add_schedule_options(command("schedules", "list, add, erase and run questions that are asked by themselves"))
    assistants = command("assistants", "list, set up, change, share, import and export assistants")
    add_assistant_options(assistants)
    add_skill_options(command("skills", "list, show, import, switch, export and delete skills"))
    add_permission_options(command("permissions", "list what tools may do unasked, or may never do, and take it back"))
    add_memory_options(command("memory", "list, add, edit and erase what is kept for later conversations"))


def _add_web(command: _Command) -> None:
    search = command("search", "search the web and show which services found what, or search a project")
    search.add_argument("words", nargs="*", metavar="WORDS", help="what to search for: words or a question")
    search.add_argument(
        "--project", metavar="NAME", help="search the conversations and files of this project instead of the web"
    )
    search.add_argument(
        "--days", type=_integer, metavar="N", help="only results at most N days old, if the service supports that"
    )
    search.add_argument(
        "--language", metavar="CODE", help="language to search in, such as de; detected from the words by default"
    )
    search.add_argument("--limit", type=_positive, default=10, metavar="N", help="results to print; 10 by default")
    search.add_argument("--json", action="store_true", help="print everything as JSON")
    search.add_argument("--services", action="store_true", help="list the search services instead")
    search.add_argument("--markdown", action="store_true", help="print the table of docs/web-search.md instead")
    _add_feed_options(command("feeds", "list, add, fetch and remove news feeds"))

    page = command("read", "print the clean text of a web page; nothing is stored")
    page.add_argument("url", metavar="URL", help="address of the page; https:// may be left out")
    page.add_argument("--json", action="store_true", help="print the page and its metadata as JSON")
    page.set_defaults(module="read")


def _add_transfer(command: _Command) -> None:
    """Add the commands that export, import and delete conversations."""
    export = command("export", "write one conversation, or everything, to a file")
    export.add_argument("conversation", nargs="?", metavar="ID", help="which one; by default everything, as a zip")
    formats = ("markdown", "json", "html", "docx", "pdf")
    export.add_argument("--format", choices=formats, help="format; markdown by default")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="file or folder to write to")
    export.add_argument("--reviewer", metavar="NAME", help="who reviewed the conversation and answers for it")
    export.set_defaults(module="export")

    add_canvas_options(command("canvas", "list canvases, print, edit, restore, export or erase one"), _positive)

    import_ = command(
        "import", "import an export of ChatGPT, Claude, Le Chat, Gemini, Copilot, Open WebUI, LibreChat or Éclair"
    )
    import_.add_argument("file", type=Path, metavar="FILE", help="the JSON or zip file as downloaded")
    import_.add_argument("--check", action="store_true", help="only show what it contains")
    import_.add_argument(
        "--replace-settings", action="store_true", help="replace the settings here by those of an Éclair export"
    )
    import_.add_argument(
        "--switch-skills-on",
        action="store_true",
        help="switch on the skills that were on in an Éclair export; only if it is your own",
    )
    import_.set_defaults(module="import_")

    _add_backup_options(command("backup", "back up the data folder, also while Éclair runs"))
    _add_restore_options(command("restore", "restore a backup into an empty data folder"))
    _add_blobs_options(command("blobs", "say where the files of documents and images are; check, copy, encrypt them"))
    _add_migrate_options(command("migrate", "copy the database to PostgreSQL, and compare each row"))
    _add_lost_options(command("lost", "list, set aside and erase files that the database doesn't know"))

    delete = command("delete", "delete all conversations; they can be restored for ten minutes")
    how = delete.add_mutually_exclusive_group()
    how.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    how.add_argument("--undo", type=_integer, metavar="MOMENT", help="restore what was deleted at that moment")
    delete.add_argument("--responses", action="store_true", help="delete what the API stored for programs instead")
    delete.set_defaults(module="delete")

    retention = command(
        "retention", "say for how long what people keep stays, change rules, place and lift legal holds"
    )
    retention.add_argument("days", nargs="?", type=_positive, metavar="DAYS", help="days to try; keep_days by default")
    change = retention.add_mutually_exclusive_group()
    rule = "of everyone, group:ID, project:ID or library:ID"
    change.add_argument(
        "--set", nargs=2, metavar=("SCOPE", "DAYS"), help=f"set the rule {rule}, in days, or forever or temporary"
    )
    change.add_argument("--unset", metavar="SCOPE", help=f"delete the rule {rule}")
    held = "on person:ID, project:ID or conversation:ID"
    change.add_argument("--hold", metavar="SCOPE", help=f"place a legal hold {held}")
    change.add_argument("--lift", metavar="SCOPE", help=f"lift the legal hold {held}")
    retention.add_argument("--reason", default="", metavar="TEXT", help="why the hold is placed")

    erasure = command("erasure", "ask for the erasure of everything of a person, and see the receipts")
    actions = erasure.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    actions.add_parser("list", help="list the requests")
    for action, help in (("ask", "ask for a person's erasure"), ("withdraw", "withdraw the request")):
        asking = actions.add_parser(action, help=help)
        asking.add_argument("person", metavar="PERSON", help="the person's id; local is the owner's")
        if action == "ask":
            asking.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    printing = actions.add_parser("receipt", help="print the receipt of a finished erasure")
    printing.add_argument("id", metavar="ID", help="id of the request")
    verifying = actions.add_parser("verify", help="check offline that a receipt is as it was signed")
    verifying.add_argument("file", type=Path, metavar="FILE", help="the receipt")


_REPOSITORY_HELP = "folder of the backups; by default the setting backup_folder"
_ENCRYPTION_HELP = "file with the passphrase that encrypts them; by default the setting backup_passphrase_file"


def _add_backup_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help=_REPOSITORY_HELP)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list the snapshots instead")
    what.add_argument("--check", action="store_true", help="read every file of the newest snapshot instead")
    parser.add_argument("--keep", type=_positive, metavar="N", help="then delete all but the newest N snapshots")
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help=_ENCRYPTION_HELP)
    parser.set_defaults(module="backup")


def _add_restore_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help=_REPOSITORY_HELP)
    parser.add_argument("--snapshot", metavar="NAME", help="which one; `eclair backup --list` shows them; the newest")
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help=_ENCRYPTION_HELP)
    parser.set_defaults(module="restore")


def _add_blobs_options(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare every file with the hash that is its name")
    what.add_argument(
        "--copy-to", metavar="PLACE", help="copy all into a bucket, s3://BUCKET/PREFIX, or into the data folder: folder"
    )
    what.add_argument("--encrypt", action="store_true", help="encrypt all with the newest key of blobs_key_file")
    what.add_argument("--rotate-key", action="store_true", help="make a new key, and encrypt all with it (one server)")
    parser.set_defaults(module="blobs")


def _add_migrate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "url", nargs="?", metavar="URL", help="address of an empty database, `database_url` by default: postgresql://…"
    )
    parser.set_defaults(module="migrate")


def _add_lost_options(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--set-aside", action="store_true", help="set aside all files of a folder whose database is gone")
    what.add_argument("--erase", action="store_true", help="erase what was set aside, for good")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    parser.set_defaults(module="lost")


def _add_draw_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", nargs="+", metavar="PROMPT", help="what the image should show")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="file to write: .png, .jpg or .webp; the current folder by default",
    )
    parser.add_argument("--model", metavar="ID", help="image model; `eclair models` lists them")
    parser.add_argument("--size", metavar="WxH", help="width and height in pixels, such as 1024x768")
    parser.add_argument("--count", type=_positive, default=1, metavar="N", help="number of images; 1 by default")
    parser.add_argument("--seed", type=_integer, metavar="N", help="the same seed gives the same image")
    parser.add_argument("--steps", type=_positive, metavar="N", help="more steps take longer and add detail")
    parser.add_argument("--guidance", type=float, metavar="X", help="how closely to follow the prompt")
    parser.add_argument("--style", metavar="NAME", help="a style, such as photo or watercolour")
    parser.add_argument("--negative", metavar="TEXT", help="what to avoid, if the model supports that")
    parser.add_argument("--edit", action="append", type=Path, metavar="FILE", help="edit this image; may be repeated")
    parser.add_argument("--mask", type=Path, metavar="FILE", help="a PNG, transparent where the image may change")
    parser.add_argument("--strength", type=float, metavar="X", help="0 to 1; how much of the image changes")
    parser.set_defaults(module="draw")


def _add_models(command: _Command) -> None:
    pull = command("pull", "download a model, or verify an installed one")
    pull.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="of the catalog (`eclair models --all`), hf:OWNER/REPOSITORY, a URL, a file or a folder; the first two "
        "may end in :QUANT; the embedded model by default",
    )
    pull.add_argument("--accept-license", action="store_true", help="accept a license that restricts what you may do")
    pull.add_argument("--accept-licence", dest="accept_license", action="store_true", help=argparse.SUPPRESS)
    pull.add_argument("--remove", action="store_true", help="remove the model instead")

    tune = command("tune", "find the fastest settings of a model on this machine, and use them")
    tune.add_argument("model", nargs="?", metavar="MODEL", help="which model; the default one if left out")
    tune.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    tune.add_argument("--json", action="store_true", help="print the result as JSON")
    tune.add_argument(
        "--build", action="store_true", help="compile the engine for this processor first; kept if it is faster"
    )
    tune.add_argument("--reset", action="store_true", help="return to the original settings and delete the tuning")
    python = command("python", "install, show or remove the data tools for code that models write")
    python.add_argument(
        "what", nargs="?", choices=("status", "install", "remove"), default="status", help="status by default"
    )
    python.add_argument("--json", action="store_true", help="print the status as JSON")
    speech = command("speech", "install, show or remove what recognizes and makes speech")
    speech.add_argument(
        "what",
        nargs="?",
        choices=("status", "install", "remove", "recognizers"),
        default="status",
        help="status by default; recognizers lists the models that can transcribe recordings",
    )
    speech.add_argument("part", nargs="?", choices=("listening", "speaking"), help="only this part")
    speech.add_argument("--json", action="store_true", help="print the status as JSON")
    speak = command("speak", "speak a text into a sound file, with the installed voices")
    speak.add_argument("file", type=Path, metavar="FILE", help="the text in Markdown, or - for standard input")
    speak.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the sound file: .mp3, .opus, .ogg, .flac or .wav",
    )
    speak.add_argument("--voice", metavar="NAME", help="the voice, such as bf_emma; else the language chooses")
    speak.add_argument("--speed", type=float, default=1.0, metavar="N", help="the speed, 0.25 to 4; default 1")
    speak.add_argument(
        "--language", metavar="CODE", help="the language, such as fr, where a sentence is too short to tell"
    )
    transcribe = command("transcribe", "print what is said in a recording, with times if wanted")
    transcribe.add_argument("file", type=Path, metavar="FILE", help="a recording, or a film with sound")
    transcribe.add_argument(
        "--format",
        choices=("text", "srt", "vtt", "json"),
        default="text",
        help="text by default; others have times",
    )
    transcribe.add_argument("--language", metavar="CODE", help="the spoken language, such as fr; else recognized")
    transcribe.add_argument(
        "--model",
        metavar="NAME",
        help="the Whisper model to use; `eclair speech recognizers` lists them",
    )
    transcribe.add_argument("--translate", action="store_true", help="write it in English")
    models = command("models", "list the available models", _local_option())
    models.add_argument("--json", action="store_true", help="print the list as JSON")
    models.add_argument("--all", action="store_true", help="list the whole catalog")
    models.add_argument("--markdown", action="store_true", help="print the table of docs/engines.md")
    _add_engine_options(command("engines", "list, add, test and remove model servers"))


def _add_inspection(command: _Command) -> None:
    """Add the commands that show state and usage."""
    doctor = command("doctor", "check what is installed, what is missing and what would leave this machine")
    doctor.add_argument("--json", action="store_true", help="print the report as JSON")
    doctor.add_argument(
        "--repair",
        action="store_true",
        help="save what can be read of a damaged database into a new one; the damaged one is kept in lost/",
    )
    doctor.add_argument(
        "--compact",
        action="store_true",
        help="rewrite the database so that it takes no more room than it needs, while Éclair is stopped",
    )
    config = command("config", "show every setting, its value and its origin")
    config.add_argument("--json", action="store_true", help="print the settings as JSON")
    config.add_argument("--markdown", action="store_true", help="print docs/configuration.md")
    usage = command("usage", "sum up words, tokens, energy and cost of answers")
    usage.add_argument("--days", type=_positive, metavar="N", help="only the last N days, today included")
    usage.add_argument("--by", choices=("day", "model"), default="model", help="group by this; model by default")
    usage.add_argument("--json", action="store_true", help="print the sums as JSON")
    add_plan_options(command("plan", "plan what hardware a number of people takes, and what that uses"))

    ratings = command("ratings", "list the ratings of answers, or remove one")
    actions = _add_listing_options(ratings, "MESSAGE", "remove the rating of an answer")
    export = "print ratings and choices with their questions and answers, a line of JSON each"
    actions.add_parser("export", help=export, description=_sentence(export)).set_defaults(action="export")
    ratings.add_argument("--limit", type=_positive, default=100, metavar="N", help="only the latest N; 100 by default")
    ratings.set_defaults(module="ratings")

    batches = command("batches", "list the batches of requests that programs began, or cancel one")
    batches.add_argument("--json", action="store_true", help="print the list as JSON")
    batches.add_argument("--limit", type=_positive, default=20, metavar="N", help="only the latest N; 20 by default")
    batches.set_defaults(action="list")
    cancel = batches.add_subparsers(metavar="ACTION", parser_class=_Parser).add_parser(
        "cancel", help="cancel a batch", description="Cancel a batch; the replies that it has are kept."
    )
    cancel.set_defaults(action="cancel")
    cancel.add_argument("which", metavar="BATCH", help="which one")


def _add_records(command: _Command) -> None:
    """Add the commands that show who did what, what left this machine, and what AI made."""
    compliance = command("compliance", "print a report for whoever answers for this installation")
    compliance.add_argument("report", choices=REPORTS, help="which one; ai-act lists the duties of the AI Act")
    compliance.add_argument("--language", default="en", metavar="CODE", help="its language, such as de; en by default")
    compliance.add_argument("--json", action="store_true", help="print it as JSON instead of Markdown")
    compliance.add_argument("-o", "--output", type=Path, metavar="FILE", help="file to write to")

    check_mark = command("check-mark", "check files and texts for marks that AI made them")
    check_mark.add_argument("files", nargs="+", type=Path, metavar="FILE", help="any file, or - for a text from a pipe")
    check_mark.add_argument("--json", action="store_true", help="print the result as JSON")
    check_mark.set_defaults(module="check_mark")

    receipt = command("receipt", "show the receipt of an answer, or verify it offline")
    receipt.add_argument("action", choices=("show", "verify"), help="print it, or only say whether it is genuine")
    receipt.add_argument("file", type=Path, metavar="FILE", help="the receipt as it was downloaded")
    receipt.add_argument(
        "--key", metavar="KEY", help="public key of the issuer, or a file of its keys; this Éclair's by default"
    )
    receipt.add_argument("--text", type=Path, metavar="FILE", help="the answer's text, to be compared with the receipt")
    receipt.add_argument("--json", action="store_true", help="print the result as JSON")

    audit = command("audit", "list, verify or export the log of who did what")
    audit.add_argument(
        "action",
        nargs="?",
        choices=("list", "verify", "export", "checkpoint"),
        default="list",
        help="list acts, check that nothing was changed, print all as lines of JSON, or the newest checkpoint",
    )
    audit.add_argument("--checkpoint", type=Path, metavar="FILE", help="verify: checkpoints that were kept elsewhere")
    audit.add_argument("--person", metavar="ID", help="only acts of this person, or upon them")
    audit.add_argument("--what", metavar="ACTION", help="only this action, such as key.made, or key for all")
    audit.add_argument("--since", type=datetime.fromisoformat, metavar="DAY", help="only acts from this day on")
    audit.add_argument("--until", type=datetime.fromisoformat, metavar="DAY", help="only acts before this day")
    audit.add_argument("--limit", type=_positive, default=50, metavar="N", help="rows of the table; 50 by default")
    audit.add_argument("--ocsf", action="store_true", help="export: events of OCSF 1.9")

    egress = command("egress", "list outgoing calls from the egress log, allowed and refused")
    egress.add_argument("--run", metavar="ID", help="only calls of this run")
    egress.add_argument("--host", metavar="NAME", help="only calls to this host and its subdomains")
    egress.add_argument("--verdict", choices=VERDICTS, help="only calls with this verdict")
    purposes = ("engine", "model", "search", "page", "feed", "robots", "trace", "audit", "identity", "mcp", "mail")
    purposes = (*purposes, "storage")
    egress.add_argument("--purpose", choices=purposes, help="only calls made for this")
    egress.add_argument("--limit", type=_positive, default=50, metavar="N", help="rows of the table; 50 by default")
    form = egress.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print all calls as CSV")
    form.add_argument("--json", action="store_true", help="print all calls as JSON")


def _add_add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder with everything in it")
    parser.add_argument(
        "--library", default="documents", metavar="NAME", help="the library, created if needed; documents by default"
    )
    parser.add_argument("--sync", action="store_true", help="remove files that have gone from a folder")
    parser.add_argument("--watch", action="store_true", help="keep following changes of the files until Ctrl-C")
    parser.set_defaults(module="add")


def _add_engine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=_Parser)
    fields = _Parser(add_help=False)
    keys = fields.add_mutually_exclusive_group()
    keys.add_argument("--key", action="store_true", help="ask for its key, without showing it")
    keys.add_argument("--key-stdin", action="store_true", help="read its key from standard input")
    fields.add_argument("--model", action="append", metavar="ID", help="a model it does not list; may be repeated")
    fields.add_argument("--context", type=_integer, metavar="N", help="context size in tokens, if it does not say")
    fields.add_argument("--country", metavar="CODE", help="its country, such as FR, if that is not known")
    fields.add_argument(
        "--api",
        choices=ENGINE_APIS,
        help="the API that it speaks; usually its address or a test tells it",
    )
    fields.add_argument(
        "--endpoint",
        action="append",
        metavar="URL",
        help="a further address that shares its work, or 'URL WEIGHT'; may be repeated, and '' removes all",
    )
    for name, help in (
        ("add", "add a server and test what it can do"),
        ("change", "change the given settings and keep the rest"),
        ("test", "test what a server can do"),
        ("remove", "remove a server that was added"),
    ):
        parents = [fields] if name in ("add", "change") else []
        action = actions.add_parser(name, help=help, description=_sentence(help), parents=parents)
        action.set_defaults(action=name)
        action.add_argument("name", metavar="NAME", help="its name here")
        if name == "add":
            action.add_argument("url", metavar="URL", help="its address, which usually ends in /v1")
            action.add_argument("--no-test", action="store_true", help="do not test what it can do")
        if name == "change":
            action.add_argument("--url", metavar="URL", help="its new address; its key does not go to another host")


def _add_listing_options(parser: argparse.ArgumentParser, what: str, help: str) -> argparse._SubParsersAction[_Parser]:  # pyright: ignore[reportPrivateUsage]
    """Add `--json` and the action `remove`, and return all actions; `what` is the placeholder of its argument."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list", module="libraries", what=what)
    actions = parser.add_subparsers(metavar="ACTION", parser_class=_Parser)
    remove = actions.add_parser("remove", help=help, description=_sentence(help))
    remove.set_defaults(action="remove")
    remove.add_argument("which", metavar=what, help="which one")
    remove.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    return actions


def _add_research_options(research: argparse.ArgumentParser) -> None:
    research.add_argument("question", nargs="*", metavar="QUESTION", help="subject of the report")
    research.add_argument("--into", action="append", metavar="QUESTION", help="research this; may be repeated")
    research.add_argument("--library", action="append", metavar="NAME", help="read this library too; may be repeated")
    research.add_argument("--no-web", action="store_true", help="read libraries alone")
    research.add_argument("--plan", action="store_true", help="only show the questions that would be researched")
    research.add_argument("--yes", action="store_true", help="do not ask to confirm the plan")
    research.add_argument("-o", "--output", type=Path, metavar="FILE", help="also write the report to this file")


def _add_feed_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=_Parser)

    def action(name: str, help: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=help, description=_sentence(help))
        added.set_defaults(action=name)
        return added

    action("list", "list the feeds with their state").add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print the list as JSON"
    )
    action("add", "add feeds by their address, or by that of a site").add_argument(
        "urls", nargs="+", metavar="URL", help="a feed, or a page that links to one"
    )
    action("remove", "remove a feed with its entries").add_argument("which", metavar="ID", help="its id or address")
    action("refresh", "fetch all feeds now, or these").add_argument(
        "which", nargs="*", metavar="ID", help="its id or address"
    )
    action("import", "add the feeds of an OPML list").add_argument("file", type=Path, metavar="FILE", help="the list")
    action("export", "write the feeds as an OPML list").add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="file to write to; standard output by default"
    )
    starter = action("starter", "list the built-in feeds of European publishers")
    starter.add_argument("--language", metavar="CODE", help="only feeds in this language, such as de")
    starter.add_argument("--add", action="store_true", help="add them")


def _add_key_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=_Parser)
    for action, help in (
        ("new", "make a key and print it, this once"),
        ("list", "list the keys with the day of their last use"),
        ("revoke", "revoke a key"),
    ):
        added = actions.add_parser(action, help=help, description=_sentence(help))
        added.set_defaults(action=action)
        if action == "list":
            added.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the list as JSON")
        else:
            added.add_argument("name", metavar="NAME", help="its name, such as laptop")
        if action == "new":
            added.add_argument(
                "--for",
                dest="scope",
                choices=KEY_SCOPES,
                default="all",
                help="everything, programs under /v1, or reading alone",
            )
            added.add_argument(
                "--from",
                dest="networks",
                metavar="NETWORK",
                action="append",
                default=[],
                help="the only address or network to use it from, such as 10.0.0.0/24; may be repeated",
            )
            added.add_argument("--days", type=int, metavar="N", help="days after which it ends; never by default")
            added.add_argument(
                "--model",
                dest="models",
                metavar="ID",
                action="append",
                default=[],
                help="the only model to ask; may be repeated",
            )
            added.add_argument("--per-minute", type=int, metavar="N", help="requests a minute; no limit by default")
            added.add_argument("--at-once", type=int, metavar="N", help="answers at a time; no limit by default")


def _add_budget_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=_Parser)
    for action, help in (
        ("list", "list the budgets with what is used of them"),
        ("set", "set a budget, in place of the one for the same people, thing and period"),
        ("remove", "remove a budget"),
    ):
        added = actions.add_parser(action, help=help, description=_sentence(help))
        added.set_defaults(action=action)
        if action == "list":
            added.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the list as JSON")
        elif action == "remove":
            added.add_argument("id", metavar="ID", help="its id, as `eclair budget list` shows it")
        else:
            _add_budget_fields(added)


def _add_budget_fields(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--for",
        dest="subject",
        metavar="WHOM",
        default="everyone",
        help="everyone, role:NAME, group:NAME, person:NAME or key:NAME; everyone by default",
    )
    amount = parser.add_mutually_exclusive_group(required=True)
    amount.add_argument("--tokens", type=int, metavar="N", help="tokens, read and written")
    amount.add_argument("--images", type=int, metavar="N", help="images")
    amount.add_argument("--energy", type=float, metavar="WH", help="watt-hours")
    amount.add_argument("--money", type=Decimal, metavar="AMOUNT", help="money, by the prices in the settings")
    parser.add_argument("--currency", metavar="CODE", help="currency of --money, such as EUR")
    parser.add_argument(
        "--per", dest="period", choices=BUDGET_PERIODS, default="month", help="period; month by default"
    )
    parser.add_argument("--together", action="store_true", help="they share it; else each of them has it alone")
    parser.add_argument(
        "--soft", type=int, choices=range(101), default=80, metavar="PERCENT", help="warn from here on; 0 never warns"
    )
    parser.add_argument("--warn-only", action="store_true", help="warn once it is used up, and refuse nothing")


class _ModelAction(argparse.Action):
    """Stores the model named last as `model`, and all of them as `models`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        namespace.model = values
        namespace.models = [*getattr(namespace, "models", ()), values]


def _answer_options() -> _Parser:
    """Build the options shared by all commands that answer."""
    options = _Parser(add_help=False)
    options.add_argument(
        "--model", action=_ModelAction, metavar="ID", help="model that answers; `ask` compares two or three"
    )
    how = options.add_mutually_exclusive_group()
    how.add_argument(
        "--mode", choices=("flash", "auto", "think"), help="answer fast, think first, or let the question decide"
    )
    how.add_argument("--flash", dest="mode", action="store_const", const="flash", help="answer fast, without thinking")
    how.add_argument(
        "--think", dest="mode", action="store_const", const="think", help="think first, with the best model"
    )
    options.add_argument("--system", metavar="TEXT", help="system prompt, in place of the setting")
    options.add_argument("--temperature", type=_temperature, metavar="X", help="0 to 2; higher is more varied")
    options.add_argument("--max-tokens", type=_positive, metavar="N", help="maximum length of the answer")
    options.add_argument("--seed", type=_integer, metavar="N", help="the same seed gives the same answer")
    return options


def _sentence(help: str) -> str:
    return help[0].upper() + help[1:] + "."


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 2")
    return value


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def _positive(text: str) -> int:
    value = _integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 1")
    return value

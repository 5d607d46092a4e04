"""What can be written after `eclair`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import difflib
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import eclair
from eclair.errors import InvalidInput

if TYPE_CHECKING:
    from eclair.schema.messages import Sampling
    from eclair.settings import LoadedSettings

EXIT_CODES = """\
exit codes:
  0  done                       3  the machine or its configuration is at fault
  1  a mistake of our own       4  an engine or a server is at fault
  2  the request is at fault  130  stopped with Ctrl-C
"""


_FROM_FILE = "answer from this file, of which nothing is kept; may be repeated"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as the rest of Éclair does."""

    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"{self.prog}: {message}; `{self.prog} --help` lists what there is.")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments, with the `module` that serves them. Raises InvalidInput; exits by itself after --help."""
    parser, commands = _parser()
    first = next(iter(argv), "")
    if first and not first.startswith("-") and first not in commands:
        near = difflib.get_close_matches(first, commands, n=1, cutoff=0.0)[0]
        raise InvalidInput(f"There is no command {first!r}; did you mean `eclair {near}`?")
    return parser.parse_args(argv)


def load_settings(arguments: argparse.Namespace) -> LoadedSettings:
    """The settings as the file, the environment and these arguments have them. Raises SettingsError."""
    from eclair.settings import load

    names = ("data_dir", "host", "port")
    given = {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
    return load(os.environ, given)


def sampling(arguments: argparse.Namespace) -> Sampling:
    """How the answer is to be drawn, as far as the arguments say."""
    from eclair.schema.messages import Sampling

    return Sampling(temperature=arguments.temperature, max_tokens=arguments.max_tokens, seed=arguments.seed)


_Command = Callable[..., argparse.ArgumentParser]
"""Adds a command: its name, what it does, and parsers whose arguments it has too."""


def _parser() -> tuple[argparse.ArgumentParser, list[str]]:
    parser = _Parser(
        prog="eclair",
        description="Éclair: an AI assistant on hardware you own.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"Éclair {eclair.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)

    everywhere = _Parser(add_help=False)
    everywhere.add_argument("--data-dir", type=Path, metavar="DIR", help="folder for what Éclair keeps")

    def command(name: str, help: str, *parents: _Parser) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=_sentence(help), parents=[everywhere, *parents])
        added.set_defaults(module=name)
        return added

    _talking(command, _answering())
    _documents(command)
    _web(command)
    _keeping(command)
    _models(command)
    _watching(command)
    return parser, list(commands.choices)


def _talking(command: _Command, answering: _Parser) -> None:
    ask = command("ask", "ask one question; nothing is kept", answering)
    ask.add_argument("question", nargs="*", metavar="QUESTION", help="what to ask; text piped in is added to it")
    ask.add_argument("-f", "--file", action="append", type=Path, metavar="FILE", help=_FROM_FILE)
    ask.add_argument("--library", action="append", metavar="NAME", help="answer from this library; may be repeated")
    ask.add_argument("--json", action="store_true", help="print the events, one a line")
    ask.add_argument("--web", action="store_true", help="look on the web for it")

    edit = command("edit", "have a text changed; what does not change is not written anew")
    edit.add_argument("file", type=Path, metavar="FILE", help="the text, or - for what is piped in")
    edit.add_argument("instruction", metavar="INSTRUCTION", help="what to change")
    edit.add_argument("--write", action="store_true", help="change the file; without it, the changes are shown")
    edit.add_argument("--model", metavar="ID", help="who edits; `eclair models` lists them")
    edit.set_defaults(module="edit")

    chat = command("chat", "hold a conversation, which is kept", answering)
    which = chat.add_mutually_exclusive_group()
    which.add_argument("--continue", dest="latest", action="store_true", help="take up the latest conversation")
    which.add_argument("--conversation", metavar="ID", help="take up this conversation")

    _drawing(command("draw", "make a picture, or change one"))
    _researching(command("research", "look into questions on the web and have a report written", answering))

    serve = command("serve", "serve the web app and the API")
    serve.add_argument("--host", metavar="ADDRESS", help="address to listen on")
    serve.add_argument("--port", type=int, metavar="N", help="port to listen on; 0 takes any free one")
    serve.add_argument("--pull", action="store_true", help="fetch the embedded model first, if it is not here")


def _documents(command: _Command) -> None:
    _adding(command("add", "add files and folders to a library, from which questions are answered"))
    _shelves(command("libraries", "list and remove libraries"), "NAME", "remove a library with its files")
    files = command("files", "list and remove files")
    files.add_argument("--library", metavar="NAME", help="only those of this library")
    _shelves(files, "ID", "remove a file")


def _web(command: _Command) -> None:
    look = command("search", "search the web; says which services found what")
    look.add_argument("words", nargs="*", metavar="WORDS", help="what to search for: words or a question")
    look.add_argument("--days", type=_whole, metavar="N", help="only what is at most N days old, where a service can")
    look.add_argument(
        "--language", metavar="CODE", help="the language to search in, such as de; by the words otherwise"
    )
    look.add_argument("--limit", type=_positive, default=10, metavar="N", help="hits to print; 10 by default")
    look.add_argument("--json", action="store_true", help="print everything as JSON")
    look.add_argument("--services", action="store_true", help="list the search services there are instead")
    look.add_argument("--markdown", action="store_true", help="print the table of docs/browsing.md instead")
    _feeds(command("feeds", "list, add, fetch and remove the newsroom's feeds"))

    page = command("read", "print the clean text of a page of the web, of which nothing is kept")
    page.add_argument("url", metavar="URL", help="its address; https:// where that is left out")
    page.add_argument("--json", action="store_true", help="print what is known of it as JSON")
    page.set_defaults(module="read")


def _keeping(command: _Command) -> None:
    """What becomes of conversations."""
    export = command("export", "write one conversation, or all of them, to a file")
    export.add_argument("conversation", nargs="?", metavar="ID", help="which one; without it a zip of all is written")
    export.add_argument("--format", choices=("markdown", "json", "html"), help="form of the one; markdown by default")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="file or folder to write to")
    export.set_defaults(module="export")

    bring = command("import", "take in the export of ChatGPT, Claude, Open WebUI, LibreChat or Éclair")
    bring.add_argument("file", type=Path, metavar="FILE", help="the JSON or zip as it was downloaded")
    bring.add_argument("--check", action="store_true", help="only say what is in it")
    bring.set_defaults(module="import_")

    delete = command("delete", "delete all conversations; for ten minutes they can be brought back")
    how = delete.add_mutually_exclusive_group()
    how.add_argument("--yes", action="store_true", help="do not ask")
    how.add_argument("--undo", type=_whole, metavar="MOMENT", help="bring back what was deleted at that moment")
    delete.set_defaults(module="delete")


def _drawing(parser: argparse.ArgumentParser) -> None:
    """What is drawn, how, and where to."""
    parser.add_argument("prompt", nargs="+", metavar="PROMPT", help="what the picture is to show")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where to write it: .png, .jpg or .webp; this folder otherwise",
    )
    parser.add_argument("--model", metavar="ID", help="who draws; `eclair models` lists them")
    parser.add_argument("--size", metavar="WxH", help="width and height in pixels, such as 1024x768")
    parser.add_argument("--count", type=_positive, default=1, metavar="N", help="how many; 1 by default")
    parser.add_argument("--seed", type=_whole, metavar="N", help="the same seed draws the same picture")
    parser.add_argument("--steps", type=_positive, metavar="N", help="more take longer and show more")
    parser.add_argument("--guidance", type=float, metavar="X", help="how closely the words are followed")
    parser.add_argument("--style", metavar="NAME", help="a style by its name, such as photo or watercolour")
    parser.add_argument("--negative", metavar="TEXT", help="what is not to be seen, where the model heeds that")
    parser.add_argument(
        "--edit", action="append", type=Path, metavar="FILE", help="change this picture; may be repeated"
    )
    parser.add_argument("--mask", type=Path, metavar="FILE", help="a PNG, transparent where the picture may change")
    parser.add_argument("--strength", type=float, metavar="X", help="0 to 1; how much of the picture changes")
    parser.set_defaults(module="draw")


def _models(command: _Command) -> None:
    fetch = command("pull", "fetch a model, or check the one that is here")
    fetch.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="of the catalogue (`eclair models --all`), hf:OWNER/REPOSITORY, a URL, a file or a folder; the first two "
        "may end in :QUANT; the embedded model by default",
    )
    fetch.add_argument("--accept-license", action="store_true", help="accept a license that restricts what you may do")
    fetch.add_argument("--accept-licence", dest="accept_license", action="store_true", help=argparse.SUPPRESS)
    fetch.add_argument("--remove", action="store_true", help="remove the model instead")

    tune = command("tune", "measure how a model runs best on this machine, and have it run like that")
    tune.add_argument("model", nargs="?", metavar="MODEL", help="which one; the default model otherwise")
    tune.add_argument("--yes", action="store_true", help="do not ask")
    tune.add_argument("--json", action="store_true", help="print what was found as JSON")
    tune.add_argument(
        "--build", action="store_true", help="compile the engine for this processor first; kept if it is faster"
    )
    tune.add_argument("--reset", action="store_true", help="have it run as it came, and delete what was made")
    models = command("models", "list the models that can be asked")
    models.add_argument("--json", action="store_true", help="print it as JSON")
    models.add_argument("--all", action="store_true", help="list the whole catalogue")
    models.add_argument("--markdown", action="store_true", help="print the table of docs/engines.md")
    _engines(command("engines", "list, add, test and remove the servers that answer"))


def _watching(command: _Command) -> None:
    """What is, what was used, and what left."""
    command("doctor", "say what is installed, what is missing and what would leave this machine").add_argument(
        "--json", action="store_true", help="print it as JSON"
    )
    config = command("config", "show every setting, its value and where that comes from")
    config.add_argument("--json", action="store_true", help="print it as JSON")
    config.add_argument("--markdown", action="store_true", help="print docs/configuration.md")
    usage = command("usage", "sum up what answers took: words, tokens, energy, cost")
    usage.add_argument("--days", type=_positive, metavar="N", help="only the last N days, today included")
    usage.add_argument("--by", choices=("day", "model"), default="model", help="a row for each; model by default")
    usage.add_argument("--json", action="store_true", help="print it as JSON")

    made = command("check-mark", "say whether files bear marks that a model made them")
    made.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a picture, or any other file")
    made.add_argument("--json", action="store_true", help="print what was found as JSON")
    made.set_defaults(module="check_mark")

    egress = command("egress", "list outgoing calls from the audit log, allowed and refused")
    egress.add_argument("--run", metavar="ID", help="only calls of this run")
    egress.add_argument("--host", metavar="NAME", help="only calls to this host and its subdomains")
    egress.add_argument("--verdict", choices=("passed", "failed", "refused"), help="only calls with this verdict")
    purposes = ("engine", "model", "search", "page", "feed", "robots")
    egress.add_argument("--purpose", choices=purposes, help="only calls made for this")
    egress.add_argument("--limit", type=_positive, default=50, metavar="N", help="rows of the table; 50 by default")
    form = egress.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print all calls as CSV")
    form.add_argument("--json", action="store_true", help="print all calls as JSON")


def _adding(parser: argparse.ArgumentParser) -> None:
    """What is added, and to which library."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder with all that is in it"
    )
    parser.add_argument(
        "--library", default="documents", metavar="NAME", help="which one; it is made if need be (documents by default)"
    )
    parser.add_argument("--sync", action="store_true", help="remove what has gone from a folder since it was added")
    parser.add_argument("--watch", action="store_true", help="go on, as files come, change and go, until Ctrl-C")
    parser.set_defaults(module="add")


def _engines(parser: argparse.ArgumentParser) -> None:
    """What can be done about servers."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=_Parser)
    fields = _Parser(add_help=False)
    keys = fields.add_mutually_exclusive_group()
    keys.add_argument("--key", action="store_true", help="ask for its key, which is not shown")
    keys.add_argument("--key-stdin", action="store_true", help="read its key from standard input")
    fields.add_argument("--model", action="append", metavar="ID", help="a model that it does not list; may be repeated")
    fields.add_argument("--context", type=_whole, metavar="N", help="tokens that its models read, if it does not say")
    fields.add_argument("--country", metavar="CODE", help="where it belongs, such as FR, where that is not known")
    for name, help in (
        ("add", "add a server and see what it can do"),
        ("change", "change what is given, and keep the rest"),
        ("test", "see what a server can do"),
        ("remove", "remove a server that was added"),
    ):
        parents = [fields] if name in ("add", "change") else []
        action = actions.add_parser(name, help=help, description=_sentence(help), parents=parents)
        action.set_defaults(action=name)
        action.add_argument("name", metavar="NAME", help="what it is called here")
        if name == "add":
            action.add_argument("url", metavar="URL", help="its address, which usually ends in /v1")
            action.add_argument("--no-test", action="store_true", help="do not try what it can do")
        if name == "change":
            action.add_argument("--url", metavar="URL", help="its new address; its key does not go to another host")


def _shelves(parser: argparse.ArgumentParser, what: str, help: str) -> None:
    """Listing, as JSON too, and removing."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list", module="libraries", what=what)
    actions = parser.add_subparsers(metavar="ACTION", parser_class=_Parser)
    remove = actions.add_parser("remove", help=help, description=_sentence(help))
    remove.set_defaults(action="remove")
    remove.add_argument("which", metavar=what, help="which one")
    remove.add_argument("--yes", action="store_true", help="do not ask")


def _researching(research: argparse.ArgumentParser) -> None:
    research.add_argument("question", nargs="*", metavar="QUESTION", help="what the report is to be on")
    research.add_argument("--into", action="append", metavar="QUESTION", help="look into this; may be repeated")
    research.add_argument("--plan", action="store_true", help="only show which questions would be looked into")
    research.add_argument("--yes", action="store_true", help="do not ask whether the plan is right")
    research.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the report to this file too")


def _feeds(parser: argparse.ArgumentParser) -> None:
    """What can be done about feeds."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=_Parser)

    def action(name: str, help: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=help, description=_sentence(help))
        added.set_defaults(action=name)
        return added

    action("list", "list them with their state").add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print the list as JSON"
    )
    action("add", "add feeds by their address, or that of a site").add_argument(
        "urls", nargs="+", metavar="URL", help="a feed, or a page that names one"
    )
    action("remove", "remove a feed with its entries").add_argument("which", metavar="ID", help="its id or address")
    action("refresh", "fetch all feeds now, or these").add_argument(
        "which", nargs="*", metavar="ID", help="its id or address"
    )
    action("import", "add the feeds of an OPML list").add_argument("file", type=Path, metavar="FILE", help="the list")
    action("export", "write the feeds as an OPML list").add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="file to write to; standard output by default"
    )
    starter = action("starter", "list feeds of European publishers that come along")
    starter.add_argument("--language", metavar="CODE", help="only those of a language, such as de")
    starter.add_argument("--add", action="store_true", help="switch them on")


def _answering() -> _Parser:
    """The options of everything that answers."""
    options = _Parser(add_help=False)
    options.add_argument("--model", metavar="ID", help="who answers; `eclair models` lists them")
    how = options.add_mutually_exclusive_group()
    how.add_argument(
        "--mode", choices=("flash", "auto", "think"), help="how: fast, thought over, or as the question asks"
    )
    how.add_argument("--flash", dest="mode", action="store_const", const="flash", help="answer fast, without thinking")
    how.add_argument(
        "--think", dest="mode", action="store_const", const="think", help="think first, with the best model"
    )
    options.add_argument("--system", metavar="TEXT", help="what the model is told first, in place of the setting")
    options.add_argument("--temperature", type=_temperature, metavar="X", help="0 to 2; how freely words are drawn")
    options.add_argument("--max-tokens", type=_positive, metavar="N", help="longest answer")
    options.add_argument("--seed", type=_whole, metavar="N", help="the same seed draws the same answer")
    return options


def _sentence(help: str) -> str:
    return help[0].upper() + help[1:] + "."


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 2:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 2")
    return value


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def _positive(text: str) -> int:
    value = _whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 1")
    return value

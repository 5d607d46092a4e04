"""`eclair search`: searches the web, of which only the egress log is stored, or a project."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import date

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import InvalidInput
from eclair.network.client import CallContext, OutboundGate, WebClient
from eclair.network.egress_log import open_gate
from eclair.network.policy import OutboundPolicy
from eclair.schema.messages import Step
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.web import WebHit, WebQuery
from eclair.settings import Settings
from eclair.text.excerpts import BEGIN_MARK, END_MARK
from eclair.web.providers import providers_table
from eclair.web.queries import parse_search
from eclair.web.search import SEARCH_TIMEOUT_S, MetaSearch, ProviderStatus, SearchOutcome, run_search
from eclair.web.web_settings import with_web_settings

COLUMNS = ("NAME", "SERVICE", "WHERE", "STATE", "TERMS")
EXIT_ALL_FAILED = 4
MAX_SNIPPET_CHARS = 200


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = with_web_settings(load_settings(arguments).settings)
    log_if_debugging(settings)
    if arguments.services or arguments.markdown:
        return run_async(_list(settings, arguments, terminal))
    text = " ".join(arguments.words)
    if not 0 < len(text) <= 2000:
        raise InvalidInput("Write what to search for, in at most 2,000 characters.")
    if arguments.project is not None:
        if arguments.days is not None or arguments.language is not None:
            raise InvalidInput("--days and --language are for the web; leave them out with --project.")
        return run_async(_search_project(settings, arguments, text, terminal))
    queries = parse_search(text, arguments.language, arguments.days, date.today())
    return run_async(_search(settings, queries, arguments, terminal))


async def _search_project(settings: Settings, arguments: argparse.Namespace, words: str, terminal: Terminal) -> int:
    from eclair.app import open_app  # slow to import

    async with open_app(settings) as app:
        project = await app.storage.projects.get_project_by_name(LOCAL_PRINCIPAL, arguments.project)
        found = await app.chat_search.find(LOCAL_PRINCIPAL, words, arguments.limit, project.id)
    if arguments.json:
        terminal.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    for name in found.names:
        terminal.line(name.name if name.kind != "tag" else f"#{name.name}")
        terminal.dim_line(
            f"   {name.kind}{f', in {name.title}' if name.kind in ('file', 'tag') and name.title else ''}"
        )
    for hit in found.hits:
        terminal.line(f"{hit.title or hit.conversation}: {_plain(hit.excerpt)}")
        terminal.dim_line(f"   message {hit.message} of {hit.conversation}")
    for passage in found.passages:
        terminal.line(f"{passage.name}: {_plain(passage.excerpt)}")
        terminal.dim_line(f"   page {passage.label or passage.page}")
    if not (found.names or found.hits or found.passages):
        terminal.note(f"Nothing in {project.name} has these words.")
    return 0


def _plain(excerpt: str) -> str:
    return " ".join(excerpt.replace(BEGIN_MARK, "").replace(END_MARK, "").split())


async def _list(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.markdown:
        terminal.write(providers_table())
        return 0
    client = WebClient(OutboundGate(OutboundPolicy.from_settings(settings)))
    listed = MetaSearch.from_settings(settings, client).list_providers()
    if arguments.json:
        terminal.write_bytes(orjson.dumps([each.as_dict() for each in listed], option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    rows = [
        (provider.name, provider.title, provider.jurisdiction, _state(each), provider.terms)
        for each in listed
        for provider in [each.provider]
    ]
    print_table([COLUMNS, *rows], terminal)
    return 0


def _state(each: ProviderStatus) -> str:
    if each.is_used:
        return "used"
    return "not used" if each.provider.is_ready else "not set up"


async def _search(
    settings: Settings, queries: tuple[WebQuery, ...], arguments: argparse.Namespace, terminal: Terminal
) -> int:
    async with open_gate(settings) as gate:
        client = WebClient(gate)
        try:
            search = MetaSearch.from_settings(settings, client)
            providers = search.active_providers()
            terminal.status(f"Searching with {', '.join(provider.title for provider in providers)}…")
            found = await run_search(
                search, queries, CallContext(LOCAL_PRINCIPAL, "search"), timeout_s=SEARCH_TIMEOUT_S
            )
        finally:
            await client.close()
    errors = [error for provider in providers if (error := search.last_error(provider.name)) is not None]
    if arguments.json:
        terminal.write_bytes(orjson.dumps(_json(queries, found), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        titles = {provider.name: provider.title for provider in providers}
        for number, hit in enumerate(found.hits[: arguments.limit], 1):
            _print(number, hit, titles, terminal)
        terminal.dim_line(_summary(queries, found))
    for error in errors:
        terminal.warn(error)
    return EXIT_ALL_FAILED if errors and len(errors) == len(providers) else 0


def _print(number: int, hit: WebHit, titles: dict[str, str], terminal: Terminal) -> None:
    facts = [hit.published.isoformat()] if hit.published is not None else []
    terminal.line(f"{number:>2}  {hit.title}")
    terminal.line(f"    {hit.url}")
    terminal.dim_line("    " + " · ".join([*facts, ", ".join(titles.get(name, name) for name in hit.providers)]))
    if hit.snippet:
        cut = (
            hit.snippet
            if len(hit.snippet) <= MAX_SNIPPET_CHARS
            else hit.snippet[:MAX_SNIPPET_CHARS].rsplit(" ", 1)[0] + "…"
        )
        terminal.line(f"    {cut}")


def _summary(queries: tuple[WebQuery, ...], found: SearchOutcome) -> str:
    results = ", ".join(f"{step.title} {_result(step)}" for step in found.steps) or "no provider is set up"
    searched = ", ".join(f"“{query.text}”" for query in queries)
    return f"Searched for {searched}: {results}."


def _result(step: Step) -> str:
    took = "" if step.milliseconds is None else f" in {step.milliseconds:,.0f} ms"
    return f"found {step.count}{took}" if step.outcome in ("done", "nothing") else str(step.outcome)


def _json(queries: tuple[WebQuery, ...], found: SearchOutcome) -> dict[str, object]:
    return {
        "queries": [asdict(query) for query in queries],
        "steps": [
            {"title": step.title, "outcome": step.outcome, "count": step.count, "milliseconds": step.milliseconds}
            for step in found.steps
        ],
        "hits": [
            {
                "url": hit.url,
                "title": hit.title,
                "snippet": hit.snippet,
                "published": hit.published,
                "by": hit.providers,
            }
            for hit in found.hits
        ],
    }

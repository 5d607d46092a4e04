"""`eclair search`: what the search services find, fused into one list; nothing is kept but the rows of what left."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import date

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import carry_out
from eclair.cli._terminal import Terminal
from eclair.cli.models import table
from eclair.errors import InvalidInput
from eclair.network.audit_log import open_gate
from eclair.network.client import CallContext, OutboundGate, WebClient
from eclair.network.policy import OutboundPolicy
from eclair.schema.messages import Step
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.web import Hit, Query
from eclair.settings import Settings
from eclair.web.providers import markdown
from eclair.web.queries import asked_for
from eclair.web.search import WITHIN, Found, Offered, WebSearch, search

SERVICES = ("NAME", "SERVICE", "WHERE", "STATE", "TERMS")
FAILED = 4
SNIPPET = 200
"""Characters of a snippet that are shown."""


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if arguments.services or arguments.markdown:
        return carry_out(_list(settings, arguments, terminal))
    text = " ".join(arguments.words)
    if not 0 < len(text) <= 2000:
        raise InvalidInput("Say what to search for, in at most 2,000 characters.")
    queries = asked_for(text, arguments.language, arguments.days, date.today())
    return carry_out(_search(settings, queries, arguments, terminal))


async def _list(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.markdown:
        terminal.write(markdown())
        return 0
    browser = WebClient(OutboundGate(OutboundPolicy.from_settings(settings)))
    offered = await WebSearch.configured(settings, browser).offered()
    if arguments.json:
        terminal.write_bytes(orjson.dumps([each.told() for each in offered], option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    rows = [
        (service.name, service.title, service.jurisdiction, _state(each), service.terms)
        for each in offered
        for service in [each.service]
    ]
    table([SERVICES, *rows], terminal)
    return 0


def _state(each: Offered) -> str:
    if each.asked:
        return "asked"
    return "not asked" if each.ready else "not set up"


async def _search(
    settings: Settings, queries: tuple[Query, ...], arguments: argparse.Namespace, terminal: Terminal
) -> int:
    async with open_gate(settings) as gate:
        browser = WebClient(gate)
        try:
            web = WebSearch.configured(settings, browser)
            services = await web.services()
            terminal.status(f"Asking {_listed([service.title for service in services])}…")
            found = await search(web, queries, CallContext(LOCAL_PRINCIPAL, "search"), within=WITHIN)
        finally:
            await browser.close()
    faults = [fault for service in services if (fault := web.fault(service.name)) is not None]
    if arguments.json:
        terminal.write_bytes(orjson.dumps(_json(queries, found), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        titles = {service.name: service.title for service in services}
        for number, hit in enumerate(found.hits[: arguments.limit], 1):
            _print(number, hit, titles, terminal)
        terminal.dim_line(_summary(queries, found))
    for fault in faults:
        terminal.complain(fault)
    return FAILED if faults and len(faults) == len(services) else 0


def _print(number: int, hit: Hit, titles: dict[str, str], terminal: Terminal) -> None:
    told = [hit.published.isoformat()] if hit.published is not None else []
    terminal.line(f"{number:>2}  {hit.title}")
    terminal.line(f"    {hit.url}")
    terminal.dim_line("    " + " · ".join([*told, ", ".join(titles.get(name, name) for name in hit.by)]))
    if hit.snippet:
        cut = hit.snippet if len(hit.snippet) <= SNIPPET else hit.snippet[:SNIPPET].rsplit(" ", 1)[0] + "…"
        terminal.line(f"    {cut}")


def _summary(queries: tuple[Query, ...], found: Found) -> str:
    asked = _listed([f"{step.title} {_ended(step)}" for step in found.steps]) or "nobody"
    searched = _listed([f"“{query.text}”" for query in queries])
    return f"Searched for {searched}: {asked}."


def _ended(step: Step) -> str:
    took = "" if step.milliseconds is None else f" in {step.milliseconds:,.0f} ms"
    return f"found {step.count}{took}" if step.outcome in ("done", "nothing") else str(step.outcome)


def _listed(names: list[str]) -> str:
    return ", ".join(names)


def _json(queries: tuple[Query, ...], found: Found) -> dict[str, object]:
    return {
        "queries": [asdict(query) for query in queries],
        "steps": [
            {"title": step.title, "outcome": step.outcome, "count": step.count, "milliseconds": step.milliseconds}
            for step in found.steps
        ],
        "hits": [asdict(hit) for hit in found.hits],
    }

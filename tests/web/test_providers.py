"""Each search service against its stand-in: what it is asked, what is made of its answers, whatever they are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import SettingsError
from eclair.network.client import CallContext, OutboundGate, WebClient
from eclair.network.policy import OutboundPolicy
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.web import WebHit, WebQuery
from eclair.settings import Settings
from eclair.web.providers import DEFAULT_PROVIDERS, available_providers, select_providers
from eclair.web.providers.base import ProviderError, clean_hit, is_web_url, parse_day, strip_markup
from eclair.web.providers.mojeek import Mojeek
from eclair.web.providers.opensearch import OpenSearch, fill_template
from eclair.web.providers.wikipedia import Wikipedia
from tests.llm.standin import Answer, Call
from tests.network.gates import Rows
from tests.web.services import (
    KEY,
    SERVICES,
    TODAY,
    Always,
    Answering,
    answering,
    atom,
    browser_for,
    description,
    parameters,
    suggestions,
    today,
)

CONTEXT = CallContext(LOCAL_PRINCIPAL, "search")
QUERY = WebQuery("q", "de")
FOUND = (
    WebHit("https://www.example.de/wahl", "Wahl in Hessen", "So wurde gewählt", date(2026, 11, 24)),
    WebHit("https://example.org/a?b=c&d=é", "Grüße & <Küsse>", "x < y", None),
)


def expected(name: str, at_work: Answering) -> list[WebHit]:
    """What of FOUND the service can tell."""
    documented = SERVICES[name]
    hits = [
        replace(
            hit,
            snippet=hit.snippet if documented.told else "",
            published=hit.published if documented.dated else None,
            providers=(name,),
        )
        for hit in FOUND
    ]
    if documented.local is not None:
        titles = ("Hessische Landtagswahl 2026", "Grüße/B&C?")
        pages = ("Hessische_Landtagswahl_2026", "Gr%C3%BC%C3%9Fe/B%26C%3F")
        return [
            WebHit(
                f"{at_work.standin.url}{documented.local}{page}", title, f"about {hit.snippet} & more", None, (name,)
            )
            for hit, title, page in zip(FOUND, titles, pages, strict=True)
        ]
    return hits


@pytest.mark.parametrize("name", SERVICES)
async def test_what_is_documented_is_read(name: str) -> None:
    assert SERVICES[name].docs.startswith("https://")
    async with answering(name, FOUND) as at_work:
        told = expected(name, at_work)
        if SERVICES[name].local is not None:
            at_work.hits = [replace(hit, snippet=old.snippet) for hit, old in zip(told, FOUND, strict=True)]
        query = WebQuery("Wahl Hessen", "de", 7)
        assert await at_work.service.search(query, 10, CONTEXT, 5) == told
        assert await at_work.service.search(query, 1, CONTEXT, 5) == told[:1]
        at_work.hits = []
        assert await at_work.service.search(query, 10, CONTEXT, 5) == []


async def asked(name: str, query: WebQuery) -> tuple[dict[str, str], Any]:
    """The parameters, and the body in JSON, with which the service asks."""
    async with answering(name, FOUND) as at_work:
        await at_work.service.search(query, 10, CONTEXT, 5)
        call = at_work.calls[0]
        return parameters(call), call.json if call.body else None


async def test_each_is_asked_in_its_own_words() -> None:
    query = WebQuery("Wahl Hessen", "de", 7)
    day_of = "2026-11-18"
    searxng, _ = await asked("searxng", query)
    assert searxng == {
        "q": "Wahl Hessen",
        "format": "json",
        "categories": "general,news",
        "language": "de",
        "time_range": "month",
    }
    assert (await asked("searxng", WebQuery("x")))[0] == {
        "q": "x",
        "format": "json",
        "categories": "general",
        "language": "all",
    }
    mojeek, _ = await asked("mojeek", query)
    assert (mojeek["q"], mojeek["since"], mojeek["lb"], mojeek["fmt"]) == ("Wahl Hessen", "20261118", "DE", "json")
    brave, _ = await asked("brave", query)
    assert (brave["freshness"], brave["search_lang"], brave["count"]) == (f"{day_of}to2026-11-25", "de", "10")
    assert (await asked("brave", WebQuery("x", "pt")))[0]["search_lang"] == "pt-pt"
    assert "search_lang" not in (await asked("brave", WebQuery("x", "mt")))[0]
    assert len((await asked("brave", WebQuery("word " * 90)))[0]["q"].split()) == 50
    assert (await asked("staan", query))[0] == {"q": "Wahl Hessen", "market": "de-de"}
    assert (await asked("staan", WebQuery("x", "pl")))[0]["market"] == "en-gb"
    _, linkup = await asked("linkup", query)
    assert linkup == {
        "q": "Wahl Hessen",
        "depth": "fast",
        "outputType": "searchResults",
        "maxResults": 10,
        "fromDate": day_of,
    }
    _, kagi = await asked("kagi", query)
    assert kagi == {"query": "Wahl Hessen", "workflow": "search", "limit": 10, "filters": {"after": day_of}}
    gdelt, _ = await asked("gdelt", WebQuery("Wahl in Hessen", "de", 7))
    assert (gdelt["query"], gdelt["timespan"]) == ("Wahl Hessen sourcelang:german", "7d")
    marginalia, _ = await asked("marginalia", query)
    assert (marginalia["query"], marginalia["count"]) == ("Wahl Hessen", "10")
    library, _ = await asked("library", query)
    assert library == {"q": "Wahl Hessen", "n": "10", "l": "de"}


async def test_a_wiki_is_asked_in_the_language_of_the_question() -> None:
    browser = browser_for()
    wikipedia = Wikipedia(browser)
    for language, host in (("fr", "fr"), (None, "en"), ("../x", "en"), ("sr", "sr")):
        assert wikipedia.build_request(WebQuery("x", language), 5).url.startswith(
            f"https://{host}.wikipedia.org/w/api.php?"
        )
    await browser.close()


async def test_a_wiki_that_has_no_page_with_all_words_is_asked_for_any() -> None:
    async with answering("wikipedia") as at_work:
        assert await at_work.service.search(WebQuery("Wahl Hessen 24. November", "de"), 5, CONTEXT, 5) == []
        assert [parameters(call)["srsearch"] for call in at_work.calls] == [
            "Wahl Hessen 24. November",
            "Wahl OR Hessen OR 24. OR November",
        ]


async def failing(name: str, *instead: Answer, query: WebQuery = QUERY, within: float = 5) -> ProviderError:
    async with answering(name, FOUND) as at_work:
        at_work.instead = list(instead)
        with pytest.raises(ProviderError) as caught:
            await at_work.service.search(query, 5, CONTEXT, within)
    message = str(caught.value)
    assert message.endswith("."), message
    assert KEY not in message
    return caught.value


async def test_each_fault_is_one_sentence() -> None:
    async def silent(call: Call) -> None:
        await call.gone()

    async def cut(call: Call) -> None:
        call.writer.close()

    for status, said in (
        (401, "does not accept its key"),
        (402, "wants payment"),
        (429, "is overloaded"),
        (500, "answered with status 500"),
    ):
        fault = await failing("brave", lambda call, status=status: call.reply(status))
        assert (fault.outcome, said in fault.message) == ("failed", True), fault.message
    assert (await failing("brave", silent, within=0.1)).outcome == "late"
    assert (await failing("brave", cut, cut, cut)).outcome == "failed"
    assert "documentation" in (await failing("brave", lambda call: call.reply(200, b"<html>"))).message
    assert "documentation" in (await failing("brave", lambda call: call.reply(200, b"[" * 100_000))).message
    assert "documentation" in (await failing("kagi", lambda call: call.reply(200, b" " * (2 << 20)))).message
    limit = orjson.dumps({"response": {"status": "ERROR: Daily Limit Reached"}})
    assert "Daily Limit" in (await failing("mojeek", lambda call: call.reply(200, limit))).message
    assert "too short" in (await failing("gdelt", lambda call: call.reply(200, b"The phrase is too short."))).message
    elsewhere = await failing("staan", lambda call: call.reply(302, Location="https://example.org/"))
    assert elsewhere.outcome == "failed"


async def test_what_the_policy_forbids_is_refused() -> None:
    browser = WebClient(OutboundGate(OutboundPolicy("offline")))
    with pytest.raises(ProviderError) as caught:
        await Wikipedia(browser).search(WebQuery("x"), 5, CONTEXT, 1)
    assert caught.value.outcome == "refused"
    assert "offline" in caught.value.message
    await browser.close()


async def nowhere(host: str, port: int) -> list[tuple[str, int]]:
    """Knows no name."""
    raise OSError(f"there is no {host}")


async def test_in_europe_only_european_services_are_asked() -> None:
    browser = WebClient(OutboundGate(OutboundPolicy("eu")), resolver=nowhere)
    said: dict[str, str] = {}
    for service in available_providers(Settings(), browser):
        with pytest.raises(ProviderError) as caught:
            await service.search(WebQuery("x"), 5, CONTEXT, 1)
        said[service.name] = caught.value.outcome
    allowed = {name for name, outcome in said.items() if outcome != "refused"}
    assert {"staan", "linkup", "marginalia"} <= allowed
    assert not allowed & {"brave", "kagi", "gdelt", "wikipedia"}
    await browser.close()


async def test_a_key_in_an_address_is_in_no_row() -> None:
    rows = Rows()
    browser = WebClient(OutboundGate(OutboundPolicy("open"), rows), resolver=nowhere)
    with pytest.raises(ProviderError) as caught:
        await Mojeek(browser, key=KEY, today=today).search(WebQuery("Hessen"), 5, CONTEXT, 1)
    assert KEY not in caught.value.message
    (row,) = rows.calls
    assert str(row.url).startswith("https://www.mojeek.com/search?api_key=…&q=Hessen&")
    assert KEY not in str(row)
    await browser.close()


# OpenSearch


async def described(*urls: tuple[str, str], body: bytes) -> list[WebHit]:
    async with answering("library") as at_work:

        async def answer(call: Call) -> None:
            if call.path == "/opensearch.xml":
                absolute = [(media, template.replace("HERE", at_work.standin.url)) for media, template in urls]
                await call.reply(200, description(*absolute))
            else:
                await call.reply(200, body)

        at_work.standin.routes = Always(answer)
        return await at_work.service.search(WebQuery("q", "de"), 5, CONTEXT, 5)


async def test_a_description_leads_to_rss_atom_or_suggestions() -> None:
    told = [replace(hit, providers=("library",)) for hit in FOUND]
    assert await described(("application/atom+xml", "HERE/a?q={searchTerms}"), body=atom(FOUND)) == told
    listed = ("application/x-suggestions+json", "/s?q={searchTerms}")
    undated = [replace(hit, published=None) for hit in told]
    assert await described(listed, body=suggestions(FOUND)) == undated
    for urls in (
        (("text/html", "HERE/?q={searchTerms}"),),
        (("application/rss+xml", "HERE/?q={searchTerms}&key={my:token}"),),
        (("application/rss+xml", "ftp://example.org/{searchTerms}"),),
        (("application/rss+xml", "HERE/latest"),),
        (),
    ):
        with pytest.raises(ProviderError, match="no OpenSearch description"):
            await described(*urls, body=b"")


async def test_a_description_is_read_once_a_day() -> None:
    moments = [0.0]
    async with answering("library", FOUND) as at_work:
        browser = browser_for(at_work.standin.url)
        service = OpenSearch(
            browser, "library", f"{at_work.standin.url}/opensearch.xml", today=today, clock=lambda: moments[-1]
        )
        for moment in (1.0, 80_000.0, 90_000.0):
            moments.append(moment)
            assert len(await service.search(WebQuery("q"), 5, CONTEXT, 5)) == 2
        await browser.close()
        assert [call.path for call in at_work.standin.calls].count("/opensearch.xml") == 2


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_what_is_searched_for_cannot_leave_its_place(text: str) -> None:
    url = fill_template(
        "https://example.org/{searchTerms}/x?n={count?}&z={unknown?}",
        WebQuery(text.encode("utf-8", "ignore").decode()),
        5,
    )
    assert re.fullmatch(r"https://example\.org/[\w.~%-]*/x\?n=5&z=", url, re.ASCII)


# Whatever a service answers

URLS = st.sampled_from(
    ["https://example.org/a", "http://[::1", "javascript:alert(1)", "https://x:99999/", "", "//x", "a b"]
)
FIELDS = """
results web response status data search query url title content description snippet desc name articles seendate
publishedDate page_age time type"""
NAMES = st.sampled_from(FIELDS.split())
TAGS = st.sampled_from(["rss", "channel", "item", "entry", "feed", "title", "link", "description", "Url", "a:b"])


def json_inside(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5)


def xml_inside(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(element, TAGS, st.lists(inner, max_size=4))


def element(tag: str, inner: list[str]) -> str:
    return f"<{tag}>{''.join(inner)}</{tag}>"


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | URLS
ANSWERS = (
    st.binary(max_size=200)
    | st.recursive(LEAVES, json_inside, max_leaves=25).map(dumped)
    | st.recursive(st.text(st.characters(codec="utf-8"), max_size=20), xml_inside, max_leaves=20).map(str.encode)
)


@pytest.mark.parametrize("name", SERVICES)
@given(body=ANSWERS)
def test_any_answer_ends_in_hits_or_a_fault(name: str, body: bytes) -> None:
    service = SERVICES[name].make(browser_for(), "https://example.org")
    try:
        hits = service.read_hits(body, WebQuery("q", "de"))
    except ProviderError:
        return
    for hit in hits:
        assert is_web_url(hit.url)
        assert hit.title
        assert hit.title.isprintable()
        assert hit.snippet.isprintable()
        assert hit.published is None or hit.published <= TODAY + timedelta(days=1) or name == "searxng"


@given(ANSWERS)
def test_any_description_ends_in_a_template_or_a_fault(body: bytes) -> None:
    service = SERVICES["library"].make(browser_for(), "https://example.org")
    assert isinstance(service, OpenSearch)
    try:
        template = service.best_template(body)
    except ProviderError:
        return
    assert is_web_url(fill_template(template.url, WebQuery("q"), 1))


@given(st.text())
def test_any_text_becomes_plain(text: str) -> None:
    assert strip_markup(text).isprintable()
    assert parse_day(text) is None or isinstance(parse_day(text), date)


def test_entities_make_no_bomb() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY a%d "%b">' % (n, (b"&a%d;" % (n - 1) if n > 1 else b"&a;") * 10) for n in range(1, 12)
    )
    service = SERVICES["library"].make(browser_for(), "https://example.org")
    with pytest.raises(ProviderError):
        service.read_hits(bomb + b"]><rss><channel><item><title>&a11;</title></item></channel></rss>", WebQuery("q"))


def test_a_hit_is_cleaned() -> None:
    hit = WebHit(
        " https://example.org/ ", "<b>One</b>\n two&nbsp;\u202e3 < 4", "a\x00b <script>x</script>", date(2027, 1, 1)
    )
    assert clean_hit(hit, "x", TODAY) == WebHit("https://example.org/", "One two 3 < 4", "a b x", None, ("x",))
    assert clean_hit(WebHit("https://example.org/", "", ""), "x", TODAY) is None
    assert clean_hit(WebHit("mailto:a@example.org", "x"), "x", TODAY) is None
    assert clean_hit(WebHit("https://example.org/", "", "words"), "x", TODAY) == WebHit(
        "https://example.org/", "words", "words", None, ("x",)
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-24", date(2026, 11, 24)),
        ("2026-11-24T23:30:00-05:00", date(2026, 11, 25)),
        ("20261124T031500Z", date(2026, 11, 24)),
        ("Tue, 24 Nov 2026 10:00:00 +0000", date(2026, 11, 24)),
        ("24 hours ago", None),
        ("2026-13-01", None),
        ("", None),
        (None, None),
    ],
)
def test_days_are_read_as_services_write_them(written: str | None, read: date | None) -> None:
    assert parse_day(written) == read


# Which are asked


def names(**given_settings: Any) -> list[str]:
    settings = Settings(**given_settings)
    return [service.name for service in select_providers(settings, available_providers(settings, browser_for()))]


def test_what_is_set_up_is_asked() -> None:
    assert names() == ["wikipedia"]
    assert names(
        searxng="http://127.0.0.1:8888", search_keys={"mojeek": KEY}, opensearch={"lib": "https://x.eu/o"}
    ) == [
        "searxng",
        "lib",
        "wikipedia",
        "mojeek",
    ]
    assert names(web_search=("gdelt", "mojeek", "newsroom", "gdelt")) == ["gdelt", "mojeek"]
    assert names(web_search=("wikinews", "mojeek")) == ["mojeek"]  # which older settings may name
    assert names(web_search=("wikinews",)) == names()


def test_no_default_service_needs_a_key() -> None:
    settings = Settings()
    assert not any(
        service.needs_key
        for service in available_providers(settings, browser_for())
        if service.name in DEFAULT_PROVIDERS
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"web_search": ("wikipedai",)}, "did you mean wikipedia?"),
        ({"search_keys": {"mojek": KEY}}, "did you mean mojeek?"),
        ({"search_keys": {"mojeek": "k\ney"}}, "copy it again."),
        ({"opensearch": {"brave": "https://example.org/"}}, "choose another."),
    ],
)
def test_a_setting_that_names_no_service_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        names(**settings)
    assert caught.value.message.endswith(said)

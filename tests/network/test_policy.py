"""Who may be called, by policy; and which country a host belongs to."""

from __future__ import annotations

import pytest

from eclair.errors import Refused, SettingsError
from eclair.llm.servers.jurisdiction import known_providers
from eclair.network.client import BrokenReply, DownloadClient, HttpClient, OutboundGate, Unreachable, WebClient
from eclair.network.countries import EU_EEA_COUNTRIES, find_country, organizations
from eclair.network.policy import OutboundPolicy, PolicyMode, Purpose
from eclair.network.ssrf import check_addresses
from eclair.settings import Settings, load
from tests.llm.standin import standing_in
from tests.network.gates import CONTEXT, Names, Rows, house


def allowed(
    policy: PolicyMode, url: str, purpose: Purpose = "page", country: str | None = None, **more: object
) -> bool:
    rules = OutboundPolicy(policy, hosts=("example.org",), private=frozenset({("10.0.0.5", 8888), ("wiki.firm", 443)}))
    fault = rules.refusal(url, purpose, country)
    assert fault is None or fault.endswith(".")
    assert fault is None or "`egress`" in fault or "`egress_hosts`" in fault
    return fault is None


@pytest.mark.parametrize(
    ("url", "purpose", "country", "policies"),
    [
        ("http://127.0.0.1:11434/v1", "engine", None, "offline listed eu open"),
        ("http://10.0.0.5:8888/search", "search", None, "offline listed eu open"),
        ("https://wiki.firm/a", "page", None, "offline listed eu open"),
        ("http://10.0.0.5:8889/", "page", None, "open"),
        ("https://example.org/", "page", None, "listed eu open"),
        ("https://sub.example.org/", "page", None, "listed eu open"),
        ("https://notexample.org/", "page", None, "open"),
        ("https://example.org.evil.test/", "page", None, "open"),
        ("https://www.tagesschau.de/", "page", None, "eu open"),
        ("https://www.bbc.co.uk/", "page", None, "open"),
        ("https://www.admin.ch/", "page", None, "open"),
        ("https://de.wikipedia.org/", "page", None, "open"),
        ("https://search.marginalia.nu/", "search", None, "eu open"),
        ("https://www.google.de/", "page", None, "open"),
        ("https://youtu.be/x", "page", None, "open"),
        ("https://huggingface.co/", "model", None, "open"),
        ("https://api.mistral.ai/v1", "engine", None, "listed eu open"),
        ("https://api.openai.com/v1", "engine", None, "listed open"),
        ("https://api.openai.com/v1", "engine", "IE", "listed open"),
        ("https://my.openai.azure.com/openai/v1", "engine", "SE", "listed open"),
        ("https://llm.firm.de/v1", "engine", None, "listed open"),
        ("https://llm.firm.com/v1", "engine", "DE", "listed eu open"),
        ("http://192.168.1.7:8000/v1", "engine", None, "listed eu open"),
        ("http://192.168.1.7:8000/", "page", None, "open"),
        ("http://8.8.8.8/", "page", None, "open"),
    ],
)
def test_who_may_be_called(url: str, purpose: Purpose, country: str | None, policies: str) -> None:
    every: tuple[PolicyMode, ...] = ("offline", "listed", "eu", "open")
    assert [policy for policy in every if allowed(policy, url, purpose, country)] == policies.split()


@pytest.mark.parametrize(
    ("host", "country"),
    [
        ("www.lemonde.fr", "FR"),
        ("europa.eu", "EU"),
        ("www.gov.uk", "GB"),
        ("example.berlin", "DE"),
        ("amazon.de", "US"),
        ("www.amazon.co.uk", "US"),
        ("amazonia.de", "DE"),
        ("my.openai.azure.com", "US"),
        ("example.com", None),
        ("example.ai", None),
        ("192.0.2.1", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_which_country_a_host_belongs_to(host: str, country: str | None) -> None:
    assert find_country(host) == country


def test_the_tables_agree() -> None:
    names = [row.name for row in organizations()]
    assert len(set(names)) == len(names)
    hosts = [host for row in organizations() for host in (*row.hosts, *row.brands)]
    assert len(set(hosts)) == len(hosts)
    assert {row.name for row in known_providers() if "127.0.0.1" not in str(row.url)} <= set(names)
    assert len(EU_EEA_COUNTRIES) == 27 + 3 + 1


async def test_without_a_door_nothing_leaves() -> None:
    """An engine and a download that nobody gave a gate say so, and connect to nothing."""
    http, downloads = HttpClient("http://192.0.2.1/v1", "k"), DownloadClient()
    for call in (http.get("http://192.0.2.1/v1/models"), http.post("http://192.0.2.1/v1/x", b"{}")):
        with pytest.raises(Refused, match=r"192\.0\.2\.1 may not be called: the policy is `offline`"):
            async with call:
                pass
    with pytest.raises(Refused):
        async with downloads.get("https://huggingface.co/x"):
            pass
    await http.close()
    await downloads.close()


async def test_a_download_is_refused_where_it_is_sent_on() -> None:
    """Each hop passes the gate, and is a record."""
    rows = Rows()
    async with standing_in() as proxy:
        proxy.routes = {
            "http://hub.example.de/file": lambda call: call.reply(302, Location="http://cdn.example.com/file"),
        }
        downloads = DownloadClient(OutboundGate(OutboundPolicy("eu"), rows), proxy=proxy.url)
        with pytest.raises(Refused, match=r"cdn\.example\.com may not be called: the policy is `eu`"):
            async with downloads.get("http://hub.example.de/file", token="secret"):
                pass
        await downloads.close()
        assert [(row.host, row.verdict, row.status) for row in rows.calls] == [
            ("hub.example.de", "passed", 302),
            ("cdn.example.com", "refused", None),
        ]
        assert [row.address for row in rows.calls] == ["127.0.0.1", None]
        assert rows.calls[0].country == "DE"


async def test_an_engine_elsewhere_leaves_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    async with standing_in() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        proxy.routes["http://rack.example/v1/x"] = lambda call: call.reply(200, b"12345")
        http = HttpClient(
            "http://rack.example/v1", "k", gate=OutboundGate(OutboundPolicy("listed"), rows), country="FR"
        )
        async with http.post("http://rack.example/v1/x", b"0123456789") as reply:
            assert await reply.body() == b"12345"
        await http.close()
    (row,) = rows.calls
    assert (row.purpose, row.host, row.country, row.status, row.verdict) == (
        "engine",
        "rack.example",
        "FR",
        200,
        "passed",
    )
    assert (row.received, row.sent) == (5, 10 + len("http:///v1/x"))
    assert row.milliseconds > 0


async def test_a_call_to_this_machine_leaves_no_row() -> None:
    rows = Rows()
    async with standing_in() as standin:
        standin.routes["/x"] = lambda call: call.reply(200, b"12345")
        http, downloads = (
            HttpClient(standin.url, gate=OutboundGate(OutboundPolicy(), rows)),
            DownloadClient(OutboundGate(OutboundPolicy(), rows)),
        )
        async with http.get(f"{standin.url}/x") as reply:
            assert await reply.body() == b"12345"
        async with downloads.get(f"{standin.url}/x") as reply:
            assert await reply.body() == b"12345"
        await http.close()
        await downloads.close()
    assert rows.calls == []


async def test_offline_the_web_is_shut_but_for_what_is_named() -> None:
    async with house(OutboundPolicy("offline", private=frozenset({("wiki.test", 80)}))) as home:
        home.standin.routes["/"] = lambda call: call.reply(302, Location="http://elsewhere.test/")
        with pytest.raises(Refused, match=r"elsewhere\.test may not be called: the policy is `offline`"):
            async with home.browser.get("http://wiki.test/", CONTEXT):
                pass
        assert [row.verdict for row in home.rows.calls] == ["passed", "refused"]


async def test_a_failed_call_says_why_and_is_a_row() -> None:
    async with house() as home:
        with pytest.raises(Unreachable, match=r"^nowhere\.example cannot be reached: Name or service not known\.$"):
            async with home.browser.get("http://nowhere.example/", CONTEXT):
                pass
        (row,) = home.rows.calls
        assert (row.verdict, row.status, row.address) == ("failed", None, None)


async def test_a_post_is_sent_and_sent_on_to_nobody() -> None:
    async with house() as home:
        home.standin.routes["/find"] = lambda call: call.reply(307, call.body, Location="http://other.test/")
        async with home.browser.post("http://page.test/find", b"what", CONTEXT) as reply:
            assert (reply.status, await reply.body()) == (307, b"what")
        assert len(home.standin.calls) == 1
        assert home.standin.calls[0].headers["user-agent"].startswith("Eclair/")


async def test_redirects_may_be_forbidden() -> None:
    async with house() as home:
        home.standin.routes["/"] = lambda call: call.reply(302, Location="/b")
        with pytest.raises(BrokenReply):
            async with home.browser.get("http://page.test/", CONTEXT, max_redirects=0):
                pass


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ECLAIR_EGRESS", "closed", "ECLAIR_EGRESS"),
        ("ECLAIR_EGRESS_HOSTS", "https://example.eu", "which is not a host name"),
        ("ECLAIR_EGRESS_HOSTS", "*.example.eu", "which is not a host name"),
        (
            "ECLAIR_PRIVATE_ADDRESSES",
            "10.0.0.5",
            "ECLAIR_PRIVATE_ADDRESSES to '10.0.0.5', which is not a host and port",
        ),
        ("ECLAIR_PRIVATE_ADDRESSES", "http://10.0.0.5:80", "which is not a host and port"),
        ("ECLAIR_PRIVATE_ADDRESSES", "10.0.0.0/8:80", "which is not a host and port"),
        ("ECLAIR_PRIVATE_ADDRESSES", "*:80", "isn't a host and port"),
        ("ECLAIR_PRIVATE_ADDRESSES", "127.1:80", "isn't a host and port"),
        ("ECLAIR_PRIVATE_ADDRESSES", "10.0.0.5:99999", "isn't a host and port"),
        ("ECLAIR_EGRESS_DAYS", "-1", "ECLAIR_EGRESS_DAYS"),
    ],
)
def test_a_setting_that_cannot_be_is_told(variable: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        OutboundPolicy.from_settings(load({variable: value}).settings)


def test_settings_become_rules() -> None:
    loaded = load(
        {
            "ECLAIR_EGRESS": "listed",
            "ECLAIR_EGRESS_HOSTS": "example.eu, example.org",
            "ECLAIR_PRIVATE_ADDRESSES": "Wiki.Firm:443,[fd00::0005]:80",
        }
    )
    assert OutboundPolicy.from_settings(loaded.settings) == OutboundPolicy(
        "listed", ("example.eu", "example.org"), frozenset({("wiki.firm", 443), ("fd00::5", 80)})
    )
    assert OutboundPolicy.from_settings(Settings()) == OutboundPolicy("open")


def test_a_private_service_is_reached_by_its_own_name_alone() -> None:
    """A page elsewhere must not lead to it, nor a name that has its address."""
    private = frozenset({("wiki.test", 80), ("10.0.0.5", 8888)})
    check_addresses("10.0.0.5", 8888, [("10.0.0.5", 8888)], private)
    check_addresses("wiki.test", 80, [("10.0.0.9", 80)], private)
    with pytest.raises(Refused, match=r"evil\.example leads to 10\.0\.0\.5"):
        check_addresses("evil.example", 8888, [("10.0.0.5", 8888)], private)
    rules = OutboundPolicy("open", private=private)
    assert rules.may_lead("https://wiki.test/a", "http://wiki.test/b")
    for source in ("https://evil.example/", "http://10.0.0.5:8888/"):
        assert not rules.may_lead(source, "http://wiki.test/b")
    assert not rules.may_lead("https://evil.example/", "http://\uff11\uff10.0.0.5:8888/")
    assert rules.may_lead("https://evil.example/", "http://10.0.0.5:1/"), "which is refused when it is called"


async def test_a_page_elsewhere_does_not_redirect_to_a_private_service() -> None:
    async with standing_in() as standin:
        port = int(standin.url.rpartition(":")[2])
        private = frozenset({("127.0.0.1", port), ("wiki.test", 80)})
        rows = Rows()
        browser = WebClient(OutboundGate(OutboundPolicy("open", private=private), rows), resolver=Names(port))
        standin.routes["/on"] = lambda call: call.reply(302, Location="http://wiki.test/there")
        with pytest.raises(Refused, match=r"site\.test redirects to a service in `private_addresses`"):
            async with browser.get("http://site.test/on", CONTEXT):
                pass
        assert [(row.host, row.verdict) for row in rows.calls] == [("site.test", "passed"), ("wiki.test", "refused")]
        await browser.close()


async def test_a_private_service_by_name_is_reached_and_its_neighbour_is_not() -> None:
    async with standing_in() as standin:
        port = int(standin.url.rpartition(":")[2])
        standin.routes["/"] = lambda call: call.reply(200, b"found")
        browser = WebClient(OutboundGate(OutboundPolicy("offline", private=frozenset({("localhost", port)}))))
        async with browser.get(f"http://localhost:{port}/", CONTEXT) as reply:
            assert await reply.body() == b"found"
        with pytest.raises(Refused):
            async with browser.get(f"http://127.0.0.1:{port}/", CONTEXT):
                pass
        await browser.close()

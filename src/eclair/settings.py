"""Settings: name, default and sentence; from one file and the environment.

`load` builds the one frozen `Settings` that is passed down; nothing else reads the environment or the file, but for
the keys that a policy file refers to. `eclair config` and docs/configuration.md are generated from `describe`.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_type_hints
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from eclair.errors import SettingsError
from eclair.identity_settings import IdentitySettings, LdapSettings, OidcSettings, SamlSettings

SettingOrigin = Literal["default", "file", "environment", "command line"]

PREFIX = "ECLAIR_"
_LOGIN = re.compile(r"//[^/@\s]*+@")
FILE_VARIABLE = "ECLAIR_CONFIG"
SECRETS = (
    "api_key",
    "audit_webhook_key",
    "database_url",
    "engines",
    "identity",
    "mcp_servers",
    "otlp_key",
    "search_keys",
    "smtp_password",
)
"""Settings with keys in them, which `ECLAIR_<NAME>_FILE` reads from a file."""
CATALOG = "models.toml"

SYSTEM_PROMPT = "You are Eclair, a helpful AI assistant. Give clear, correct and short answers."
"""Short, for small models, and without the accent in the name: with it the embedded model answers in French."""


Amount = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ProviderName = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
_HOST = r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$"
_MAIL_ADDRESS = r"^[^\s@<>,;]{1,64}@[A-Za-z0-9.-]{1,190}$"
HostName = Annotated[str, Field(pattern=_HOST)]

_PATH = r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$"
_ORIGIN = r"^https?://(\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*)(:[1-9][0-9]{0,4})?"

_CORS_ORIGIN = r"^(\*|null|[a-z][a-z0-9+.-]*://[^\s/,]+)$"


def _strip_slash(address: str | None) -> str | None:
    return None if address is None else address.rstrip("/")


HostPort = Annotated[str, Field(pattern=r"^(\[[0-9a-f:.]+\]|[^\s:/@]+):[1-9][0-9]{0,4}$")]


def _check_network(address: str) -> str:
    try:
        ipaddress.ip_network(address, strict=False)
    except ValueError:
        raise ValueError("it is no address or network; write it as 10.0.0.5 or 10.0.0.0/24") from None
    return address


@dataclass(frozen=True, slots=True)
class Price:
    """Price of a million tokens in `currency` (ISO 4217); `cached` defaults to `input`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    input: Amount
    output: Amount
    cached: Amount | None = None


EngineApi = Literal["openai", "anthropic", "gemini"]

CacheScope = Literal["everyone", "groups", "person"]
"""The people among whom an engine may share what it has read of prompts: all, those of the same groups, or none."""

CacheSaltField = Literal["body", "nvext", "off"]
"""The place of the salt of caches in a request: vLLM's field, Dynamo's, or none."""


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """A further address of a model server, with the same models; one of twice the weight gets twice as much."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    url: Annotated[str, Field(pattern="^https?://[^/]")]
    weight: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 1.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """One model server: base URL ending in the API's version, key, and models it doesn't list.

    `api` is the API that it speaks, where its address doesn't tell: OpenAI's, Anthropic's or Gemini's.
    `pictures` names image models whose names don't show it. `prices` are by model, `*` for all others.
    `joules_per_token`, or else `watts`, is the energy that answering takes there. It makes `parallel` answers of a
    model at a time; people take turns for them, and where `max_waiting` wait, further questions are refused. Its
    `endpoints` share its work, of which `url` has the `weight`; after `hedge_after` seconds without a word another is
    asked too. With `sessions` it is told by hashes which requests belong together;
    unset, servers on this machine and network are. `cache_salt` says where it takes the salt that keeps caches apart.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    url: Annotated[str, Field(pattern="^https?://[^/]")]
    key: Annotated[str | None, Field(min_length=1)] = None
    models: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    context: Annotated[int | None, Field(ge=1)] = None
    prices: dict[str, Price] = field(default_factory=dict[str, Price])
    joules_per_token: Rate | None = None
    watts: Rate | None = None
    api: EngineApi | None = None
    parallel: Annotated[int | None, Field(ge=1)] = None
    max_waiting: Annotated[int | None, Field(ge=1)] = None
    weight: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 1.0
    endpoints: Annotated[tuple[EndpointSettings, ...], Field(max_length=100)] = ()
    hedge_after: Rate | None = None
    sessions: bool | None = None
    cache_salt: CacheSaltField | None = None


@dataclass(frozen=True, slots=True)
class McpServerSettings:
    """One MCP server: a `command` with arguments, or a `url`; see docs/mcp.md.

    `variables` are of a command, `headers` of requests to a URL. A command changes files in `folders`, reads those in
    `readable`, and connects to other machines with `network`. `by_default` has it on for everybody. `client_id` and
    `client_secret` are of a client that was registered by hand where people sign in.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    command: tuple[str, ...] = ()
    url: Annotated[str | None, Field(pattern="^https?://[^/]")] = None
    variables: dict[str, str] = field(default_factory=dict[str, str])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    folders: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    network: bool = False
    by_default: bool = False
    client_id: str | None = None
    client_secret: str = ""


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """One budget, for `everyone`, `role:NAME`, `group:ID`, `person:ID` or `key:ID`; see docs/budgets.md.

    It limits what is named of `tokens`, `images`, `watt_hours` and `money` in a `currency`. With `each`, everyone it
    is for has it alone. `soft` is the percentage from which on a notice warns; one that isn't `hard` warns only.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    subject: Annotated[str, Field(pattern=r"^(everyone|(role|group|person|key):\S.*)$")] = "everyone"
    period: Literal["day", "month"] = "month"
    tokens: Annotated[int | None, Field(ge=1)] = None
    images: Annotated[int | None, Field(ge=1)] = None
    watt_hours: Annotated[float | None, Field(gt=0, le=1e12, allow_inf_nan=False)] = None
    money: Annotated[Decimal | None, Field(gt=0, le=1_000_000_000, allow_inf_nan=False)] = None
    currency: Annotated[str | None, Field(pattern="^[A-Z]{3}$")] = None
    each: bool = True
    soft: Annotated[int | None, Field(ge=1, le=100)] = 80
    hard: bool = True

    def __post_init__(self) -> None:
        if (self.money is None) != (self.currency is None):
            raise ValueError("`money` and `currency` belong together; set both or neither")


def _setting(default: Any, sentence: str, **limits: int) -> Any:
    return field(default=default, metadata={"sentence": sentence, "limits": limits})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    data_dir: Path = field(
        default_factory=lambda: platformdirs.user_data_path("eclair", appauthor=False),
        metadata={"sentence": "Folder for the database, the models and the logs."},
    )
    database_url: Annotated[str | None, Field(pattern="^postgres(ql)?://")] = _setting(
        None,
        "PostgreSQL database for all that is stored but files, such as `postgresql://eclair:…@db.example.org/eclair`; "
        "without it, SQLite in the data folder. See docs/postgresql.md.",
    )
    database_connections: int = _setting(
        17,
        "Connections to PostgreSQL of each process: one for its lease, and half of the others for what is brief.",
        ge=5,
        le=1000,
    )
    background_work: Literal["here", "workers"] = _setting(
        "here",
        "Where documents are read and embedded, feeds fetched, schedules and batches run, and what is due erased: "
        "`here`, beside the answers, or in `workers` (`eclair worker`), which use the same database and files.",
    )
    host: str = _setting("127.0.0.1", "Address to listen on; anything but a loopback address needs a key.")
    port: int = _setting(8642, "Port to listen on; 0 takes any free one.", ge=0, le=65535)
    ollama_port: int | None = _setting(
        None,
        "Second port to listen on, for programs that look for Ollama at 11434 and nowhere else; see docs/ollama.md.",
        ge=1,
        le=65535,
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (), "Other host names by which browsers reach Éclair, such as a reverse proxy's; needs a key."
    )
    cors_origins: tuple[Annotated[str, Field(pattern=_CORS_ORIGIN)], ...] = _setting(
        (),
        "Origins of other pages and apps that may use the API with a key, such as `https://app.example.org` or "
        "`app://obsidian.md`; `*` for all.",
    )
    public_url: Annotated[str | None, Field(pattern=_ORIGIN + _PATH), AfterValidator(_strip_slash)] = _setting(
        None,
        "Address by which browsers reach Éclair through a proxy, such as `https://ai.example.org/assistant`, for links "
        "that leave Éclair; its host is allowed, and its path is `base_path`; needs a key.",
    )
    base_path: Annotated[str | None, Field(pattern=f"^{_PATH}"), AfterValidator(_strip_slash)] = _setting(
        None,
        "Path under which Éclair is served, such as `/assistant`, whether a proxy passes it on or strips it; that of "
        "`public_url` unless set.",
    )
    api_key: str | None = _setting(
        None,
        "Key that every request must carry, or one of `eclair key new`; at least 24 characters if others reach Éclair.",
        min_length=1,
    )
    tls_certificate: Path | None = field(
        default=None, metadata={"sentence": "Certificate chain (PEM) to serve over https; see docs/operations.md."}
    )
    tls_key: Path | None = field(
        default=None,
        metadata={"sentence": "Private key (PEM, no password) of `tls_certificate`, if that file has not both."},
    )
    loopback_accounts: Literal["own", "all"] = _setting(
        "own",
        "Accounts of this machine that need no key on a loopback address: the one that runs Éclair (`own`), or `all`.",
    )
    accounts: Literal["off", "on"] = _setting(
        "off",
        "One owner without a login (`off`), or people who sign in, with roles and groups (`on`); see docs/accounts.md.",
    )
    second_step: Literal["optional", "required"] = _setting(
        "optional",
        "A second step is up to each person (`optional`), or asked of everybody (`required`) who signs in with a "
        "password, or by a provider that asked for none.",
    )
    session_days: int = _setting(30, "Days after which people must sign in again.", ge=1, le=3650)
    session_idle_days: int = _setting(14, "Days without use after which a session ends.", ge=1, le=3650)
    house_name: str | None = _setting(None, "Name of the house, shown where people sign in and above the list.")
    sign_in_notice: str | None = _setting(None, "Text shown where people sign in, such as who may and whom to ask.")
    announcement: str | None = _setting(None, "Text shown above the page until each person closes it.")
    policy_file: Path | None = field(
        default=None,
        metadata={
            "sentence": "File (TOML) that declares what administrators decide, for `eclair admin apply`; where the "
            "store differs from it is shown; see docs/policy.md."
        },
    )
    identity: dict[ProviderName, IdentitySettings] = field(
        default_factory=dict[str, IdentitySettings],
        metadata={
            "sentence": "Identity providers by name, with which people sign in where `accounts` is `on`: `kind` is "
            "`oidc`, `ldap` or `saml`; see docs/sign-in.md."
        },
    )
    saml: bool = _setting(
        False, "Let people sign in by SAML, though nobody from outside has reviewed yet how Éclair checks it."
    )
    model: str | None = _setting(None, "Default model; the embedded one unless set.")
    system_prompt: str = _setting(SYSTEM_PROMPT, "System prompt of every conversation.")
    max_tokens: int | None = _setting(
        None,
        "Maximum length of an answer, in tokens, unless the request sets one; by default the model's window.",
        ge=1,
    )
    answer_cost: float | None = _setting(
        None,
        "Most that an answer may cost, in the currency of its model's price; before it would cost more, a model that "
        "calls tools has to answer. Research is bounded by the tokens of its sub-agents.",
        gt=0,
    )
    max_message_kb: int = _setting(1024, "Largest message accepted, in KiB.", ge=1)
    max_file_mb: int = _setting(200, "Largest file accepted, in MB.", ge=1)
    max_check_mb: int = _setting(
        50, "Largest file accepted by the provenance check, in MB; see docs/provenance.md.", ge=1
    )
    public_checks: bool = _setting(
        False, "Let strangers use the provenance check, without a key, where others can reach Éclair."
    )
    max_client_connections: int = _setting(
        2048,
        "Connections that one address may have open; raise it where more people share one. This machine has no limit.",
        ge=1,
    )
    client_requests_per_minute: Annotated[int, Field(ge=0)] = _setting(
        1200,
        "Questions, images, checks and imports that one address or key may ask for in a minute; 0 sets no limit. This "
        "machine has none.",
    )
    trusted_proxies: tuple[Annotated[str, AfterValidator(_check_network)], ...] = _setting(
        (),
        "Proxies on other machines, as addresses or networks such as `10.0.0.0/24`, whose `X-Forwarded-For` names the "
        "client for limits and the log.",
    )
    feed_days: int = _setting(60, "Days to keep the entries of news feeds.", ge=1, le=3650)
    embedded: bool = _setting(True, "Run the embedded engine (llama.cpp) and its model.")
    fetch_model: bool = _setting(
        True,
        "With `serve --pull`, fetch a better model than the starter in the background (1.1 GB), if 4 GB of memory and "
        "room on the disk are free.",
    )
    embedded_context: int = _setting(8192, "Context window of the embedded engine, in tokens.", ge=1)
    embedded_parallel: int = _setting(16, "Requests that the embedded engine serves at the same time.", ge=1)
    embedded_threads: Annotated[int, Field(ge=0)] = _setting(
        0,
        "Threads for reading prompts; 0 uses every core. Writing uses half of the cores, at most 16, until tuned.",
    )
    embedded_memory: Annotated[int, Field(ge=0)] = _setting(
        0, "Memory for all loaded models of the embedded engine, in MB; 0 uses half of the machine's."
    )
    speculation: Literal["auto", "off"] = _setting(
        "auto", "Speculative decoding in the embedded engine where text repeats: `auto` while it helps, or `off`."
    )
    text_watermark: Literal["auto", "off"] = _setting(
        "auto", "Watermark in long texts of the embedded engine: `auto` for models measured with it, or `off`."
    )
    embedder: str = _setting(
        "auto",
        "Model for semantic search: `auto` (multilingual-e5-small, local), an embedding model of an engine, or `off`.",
        min_length=1,
    )
    reranker: str = _setting(
        "auto",
        "Model that reorders passages found in documents: `auto` (a reranker in the models folder, if there is one), a "
        "model of a server with `/v1/rerank`, or `off`.",
        min_length=1,
    )
    transcriber: str = _setting(
        "auto",
        "Model that writes what is said in recordings: `auto` (the largest Whisper model on this machine), one by name "
        "such as `whisper-base`, or a model of a server with `/v1/audio/transcriptions`.",
        min_length=1,
    )
    speaker: str = _setting(
        "auto",
        "Model that speaks for programs: `auto` (the installed voices), or a model of a server with "
        "`/v1/audio/speech`.",
        min_length=1,
    )
    hub: Annotated[str | None, Field(pattern="^https?://[^/]")] = _setting(
        None, "Hugging-Face-compatible hub to download models from; HF_ENDPOINT if set, else huggingface.co."
    )
    catalog: Path = field(
        default_factory=lambda: default_file().parent / CATALOG,
        metadata={"sentence": "File with models of your own; they extend and override Éclair's catalog."},
    )
    web_search: tuple[str, ...] = _setting(
        (),
        "Search services to use, in this order; by default those that need no set-up and those set up below; see "
        "docs/web-search.md.",
    )
    search_keys: dict[str, Annotated[str, Field(min_length=1)]] = field(
        default_factory=dict[str, str], metadata={"sentence": "API keys of search services, by service name."}
    )
    searxng: Annotated[str | None, Field(pattern="^https?://[^/]")] = _setting(
        None, "Address of your own SearXNG; its JSON format must be enabled."
    )
    opensearch: dict[str, Annotated[str, Field(pattern="^https?://[^/]")]] = field(
        default_factory=dict[str, str],
        metadata={
            "sentence": "Other sites to search: a name of your choice and the address of the OpenSearch description."
        },
    )
    web_seconds: float = _setting(
        6.0, "Seconds that an answer may spend searching the web; late results are left out.", gt=0, le=120
    )
    speech_threads: int = _setting(
        1,
        "Threads of each process that recognizes speech; dictation has two at least, where there are as many.",
        ge=1,
        le=64,
    )
    picture_model: str | None = _setting(
        None, "Default image model; the first one installed unless set; see docs/images.md."
    )
    picture_seconds: float = _setting(1800, "Maximum time for making one image, in seconds.", gt=0, le=86_400)
    pictures_at_once: int = _setting(
        1, "Images that each local backend makes at the same time; others wait.", ge=1, le=16
    )
    engines: dict[str, EngineSettings] = field(
        default_factory=dict[str, EngineSettings],
        metadata={
            "sentence": "OpenAI-compatible servers by name: `url`, `key`, `models`, `pictures`, `context`, prices "
            "and energy."
        },
    )
    mcp_servers: dict[str, McpServerSettings] = field(
        default_factory=dict[str, McpServerSettings],
        metadata={
            "sentence": "MCP servers by name: `command` or `url`, `variables` or `headers`, `folders`, `readable`, "
            "`network` and `by_default`; see docs/mcp.md."
        },
    )
    organisation: str | None = _setting(
        None,
        "Name of who runs Éclair, for receipts, records of processing and the duties of the AI Act.",
        max_length=200,
    )
    organisation_contact: str | None = _setting(
        None, "Address by which that organisation is reached: post, mail or telephone.", max_length=500
    )
    organisation_country: Annotated[str | None, Field(pattern="^[A-Z]{2}$")] = _setting(
        None, "Country of this machine, as an ISO code such as `DE`; receipts name it."
    )
    data_protection_officer: str | None = _setting(
        None, "Name and address of the data protection officer, if there is one.", max_length=500
    )
    use_warnings: Literal["off", "warn", "block"] = _setting(
        "off",
        "Questions that look like a use that the AI Act prohibits or calls high-risk get a notice (`warn`); with "
        "`block`, those that look prohibited aren't answered; see docs/ai-act.md.",
    )
    high_risk_use: bool = _setting(
        False, "State that Éclair is used for a high-risk purpose (AI Act, Annex III), so that its duties are checked."
    )
    engines_from: Literal["anywhere", "file"] = _setting(
        "anywhere",
        "Where engines may be named: `anywhere`, which includes the page and `eclair engines`, or in these settings "
        "alone (`file`), so that nobody else can add one.",
    )
    budgets: dict[str, BudgetSettings] = field(
        default_factory=dict[str, BudgetSettings],
        metadata={
            "sentence": "Budgets by name, beside those of the page and `eclair budget`: `subject`, `period`, `tokens`, "
            "`images`, `watt_hours`, `money` with `currency`, `each`, `soft`, `hard`; see docs/budgets.md."
        },
    )
    person_requests_per_minute: Annotated[int, Field(ge=0)] = _setting(
        0, "Questions and images that one person may ask for in a minute, wherever from; 0 sets no limit."
    )
    person_answers_at_once: Annotated[int, Field(ge=0)] = _setting(
        0, "Answers that one person may have under way at a time; 0 sets no limit."
    )
    core_watts: float = _setting(
        4.0,
        "Watts of a busy processor core, used where the machine has no energy counter; see docs/usage.md.",
        gt=0,
        le=1000,
    )
    grid_g_per_kwh: float | None = _setting(
        None, "Grams of CO₂ per kWh of your electricity; if set, emissions are shown too.", ge=0, le=10_000
    )
    fallbacks: dict[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]],
        metadata={"sentence": "Fallbacks when a model is down or slow: for each model a list of others, in order."},
    )
    slow_after: Annotated[float, Field(ge=0)] = _setting(
        0, "Seconds to wait for the first word before one of `fallbacks` answers; 0 waits forever."
    )
    drain_seconds: int = _setting(
        0,
        "Seconds after SIGTERM in which answers and images may still end, while no new ones begin; what isn't done "
        "then is interrupted, and answers can be continued.",
        ge=0,
        le=3600,
    )
    first_word_seconds: float = _setting(
        60.0,
        "Seconds after which an engine that is silent before its first word is given up; llama.cpp isn't while it "
        "works.",
        gt=0,
        le=86_400,
    )
    cache_scope: CacheScope = field(
        default="everyone",
        metadata={
            "sentence": "People among whom a vLLM server may share what it has read of prompts: `everyone`, those of "
            "the same `groups`, or `person` for each alone; see docs/engines.md."
        },
    )
    secret_key_file: Path | None = field(
        default=None,
        metadata={
            "sentence": "File with the secret that encrypts the API keys of servers; in the data folder by default."
        },
    )
    blobs_url: Annotated[str | None, Field(pattern="^s3://[^/@]+(/.*)?$")] = _setting(
        None,
        "Bucket for the files of documents and images, such as `s3://eclair/files`; by default they are in the data "
        "folder; see docs/blobs.md.",
    )
    blobs_endpoint: Annotated[str | None, Field(pattern="^https?://[^/@]+/?$")] = _setting(
        None, "Base URL of the object store of `blobs_url`; AWS_ENDPOINT_URL_S3 or Amazon's by default."
    )
    blobs_region: str | None = _setting(None, "Region of the bucket; AWS_REGION by default.", min_length=1)
    blobs_access_key: str | None = _setting(
        None, "Access key for the bucket; AWS_ACCESS_KEY_ID by default.", min_length=1
    )
    blobs_secret_key: str | None = _setting(
        None, "Secret of `blobs_access_key`; AWS_SECRET_ACCESS_KEY by default.", min_length=1
    )
    blobs_key_file: Path | None = field(
        default=None,
        metadata={
            "sentence": "File with the keys that encrypt the files of documents and images, one a line, the newest "
            "first; they are stored as they are without it."
        },
    )
    mark_certificate: Path | None = field(
        default=None,
        metadata={
            "sentence": "Your own certificate chain (PEM) for signing content credentials; generated by default."
        },
    )
    mark_key: Path | None = field(
        default=None, metadata={"sentence": "Private key (PEM, no password) of `mark_certificate`."}
    )
    diffusers_python: Path | None = field(
        default=None,
        metadata={
            "sentence": "Python interpreter with PyTorch and diffusers, for FLUX; by default Éclair's own, or "
            "`diffusers/bin/python` in the data folder; see docs/flux.md."
        },
    )
    picture_device: Literal["auto", "cuda", "mps", "cpu"] = _setting(
        "auto", "Device for image models: a GPU if there is one (`auto`), or the one named."
    )
    picture_memory: Annotated[int, Field(ge=0)] = _setting(0, "Memory limit of an image model, in MB; 0 sets none.")
    picture_minutes: float = _setting(10, "Minutes that an unused image model stays loaded.", gt=0, le=100_000)
    egress: Literal["offline", "listed", "eu", "open"] = _setting(
        "open",
        "Which hosts may be called: none (`offline`), the engines you set up and `egress_hosts` (`listed`), those and "
        "hosts in the EU or EEA (`eu`), or any (`open`).",
    )
    egress_hosts: tuple[HostName, ...] = _setting(
        (), "Hosts that `listed` and `eu` allow as well, with their subdomains."
    )
    egress_days: int = _setting(
        365, "Days for which the egress log keeps outgoing calls; 0 keeps them forever.", ge=0, le=36_500
    )
    audit_days: int = _setting(
        730,
        "Days for which the audit log says who acted, from where and on what; that and when something was done stays "
        "for good. 0 keeps all.",
        ge=0,
        le=36_500,
    )
    audit_checkpoint_minutes: int = _setting(
        60, "Minutes between two signed checkpoints of the audit log, where something has happened.", ge=1, le=10_080
    )
    audit_file: Path | None = field(
        default=None,
        metadata={
            "sentence": "File to which the audit log and its checkpoints are appended, best on another machine's disk."
        },
    )
    audit_syslog: Annotated[str | None, Field(pattern=r"^(udp|tcp|tls)://[^/?#@\s]+$")] = _setting(
        None,
        "Syslog server that gets the audit log and its checkpoints (RFC 5424), such as `tls://log.example.org:6514`, "
        "`tcp://` or `udp://`.",
    )
    audit_webhook: Annotated[str | None, Field(pattern=r"^https?://[^/?#@\s]+[^#@\s]*$")] = _setting(
        None, "Address that gets the audit log and its checkpoints by POST, as lines of JSON in the form of OCSF."
    )
    audit_webhook_key: str | None = _setting(None, "Bearer token for `audit_webhook`.", min_length=1)
    smtp_host: Annotated[str | None, Field(pattern=_HOST)] = _setting(
        None, "Mail server that sends what people want to be told by mail; none is sent without it."
    )
    smtp_port: int | None = _setting(None, "Its port; 587, 465 or 25 by `smtp_security` unless set.", ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = _setting(
        "starttls", "Encryption to the mail server; `none` is for one on this machine."
    )
    smtp_user: str | None = _setting(None, "User name at the mail server, if it wants one.", min_length=1)
    smtp_password: str | None = _setting(None, "Password at the mail server.", min_length=1)
    smtp_from: Annotated[str | None, Field(pattern=_MAIL_ADDRESS)] = _setting(
        None, "Address that mail comes from, such as `eclair@example.org`."
    )
    smtp_to: Annotated[str | None, Field(pattern=_MAIL_ADDRESS)] = _setting(
        None, "Address that mail goes to without accounts; with them each person has their own."
    )
    works_council: bool = _setting(
        False,
        "Show no figures of single people, none of groups under five, and not who did what with what is theirs.",
    )
    keep_days: int = _setting(
        0,
        "Days without a new message after which a conversation is erased for good, unless it is pinned; 0 keeps all. "
        "`eclair retention DAYS` says how many that would be.",
        ge=0,
        le=36_500,
    )
    erasure_days: int = _setting(
        7,
        "Days between a person's request to erase everything of theirs and the erasure, in which it can be withdrawn; "
        "0 erases at once.",
        ge=0,
        le=365,
    )
    response_days: int = _setting(
        30,
        "Days for which responses and conversations of /v1/responses are kept after their last use, unless the request "
        "says `store: false`; 0 keeps none. They go no later than conversations do (`keep_days`).",
        ge=0,
        le=36_500,
    )
    run_log_days: int = _setting(
        7,
        "Days to keep the log of an answer, event by event, after its end; the answer stays. 0 keeps logs.",
        ge=0,
        le=36_500,
    )
    backup_days: int = _setting(
        30,
        "Days to keep the newest five copies of the database, made before an update changes it; 0 keeps all.",
        ge=0,
        le=36_500,
    )
    backup_folder: Path | None = field(
        default=None,
        metadata={
            "sentence": "Folder for regular backups of the data folder, the database and the bucket, best on another "
            "disk; none are made without it."
        },
    )
    backup_hours: float = _setting(24, "Hours between two backups into `backup_folder`.", gt=0, le=10_000)
    backup_keep: int = _setting(14, "Snapshots to keep in `backup_folder`; older ones are deleted.", ge=1, le=10_000)
    backup_passphrase_file: Path | None = field(
        default=None,
        metadata={"sentence": "File with the passphrase that encrypts backups; they aren't encrypted without it."},
    )
    private_addresses: tuple[HostPort, ...] = _setting(
        (),
        "Your own services on this machine or its network that web search may reach, as `host:port` by the name in "
        "their address: a SearXNG or an intranet. Pages and hits from elsewhere can't lead there.",
    )
    scripted: bool = _setting(False, "Enable the scripted engine, for demonstrations and tests.")
    titles: bool = _setting(True, "Let the model name a conversation after its first answer.")
    tune: bool = _setting(True, "Tune each model once by itself, when the machine is idle after its first answer.")
    log_level: Literal["debug", "info", "warning", "error"] = _setting("info", "Log level.")
    log_format: Literal["text", "json"] = _setting("text", "Log lines for people (`text`) or programs (`json`).")
    otlp_endpoint: Annotated[
        str | None, Field(pattern=r"^https?://[^/?#@\s]+[^?#@\s]*$"), AfterValidator(_strip_slash)
    ] = _setting(
        None,
        "Address of an OpenTelemetry collector that gets traces and metrics (OTLP over HTTP), such as "
        "`http://10.0.0.9:4318`; they hold no text; see docs/monitoring.md.",
    )
    otlp_key: str | None = _setting(None, "Bearer token for `otlp_endpoint`.", min_length=1)
    access_log: bool = _setting(False, "Log every request; without it, those that are refused are logged.")

    @property
    def path_prefix(self) -> str:
        """The path under which Éclair is served, without a slash at its end; empty at the root."""
        if self.base_path is not None:
            return self.base_path
        return "" if self.public_url is None else urlsplit(self.public_url).path


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """A setting for display: name, environment variable, value, origin and sentence."""

    name: str
    variable: str
    default: Any
    value: Any
    origin: SettingOrigin
    sentence: str


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and the origin of each value."""

    settings: Settings
    origins: Mapping[str, SettingOrigin]
    file: Path


def default_file() -> Path:
    """Path of the settings file unless ECLAIR_CONFIG sets another."""
    return platformdirs.user_config_path("eclair", appauthor=False) / "eclair.toml"


def load(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> LoadedSettings:
    """Read the file, then the environment, then the command line's `overrides`; the later wins.

    Raises SettingsError for an unknown name, with the nearest known one, and for a value of the wrong type.
    """
    named = environ.get(FILE_VARIABLE)
    file = Path(named).expanduser() if named else default_file()
    values: dict[str, Any] = {}
    origins: dict[str, SettingOrigin] = {}
    layers: tuple[tuple[SettingOrigin, Mapping[str, Any]], ...] = (
        ("file", _read_file(file)),
        ("environment", _read_environment(environ)),
        ("command line", overrides or {}),
    )
    for origin, layer in layers:
        for name, value in layer.items():
            values[name] = _parse(name, value, origin, file)
            origins[name] = origin
    values.setdefault("catalog", file.absolute().parent / CATALOG)
    return LoadedSettings(Settings(**values), origins, file)


def hide_login(text: str) -> str:
    """Return a URL, or a text with URLs, without the user names and passwords in them."""
    return _LOGIN.sub("//", text)


_SECRET_SETTINGS = (
    *("api_key", "audit_webhook_key", "otlp_key", "smtp_password"),
    *("blobs_access_key", "blobs_secret_key"),
)


def describe(loaded: LoadedSettings) -> list[SettingDescription]:
    """Describe every setting in the order of the class. Keys and logins are never shown."""
    blank = Settings()
    rows: list[SettingDescription] = []
    for spec in fields(Settings):
        value = getattr(loaded.settings, spec.name)
        if spec.name in _SECRET_SETTINGS and value is not None:
            value = "(set)"
        if spec.name == "database_url" and value is not None:
            value = hide_login(str(value))
        if spec.name == "search_keys":
            value = dict.fromkeys(loaded.settings.search_keys, "(set)")
        if spec.name == "identity":
            value = {name: each.kind for name, each in loaded.settings.identity.items()}
        if spec.name == "engines":
            value = {name: hide_login(engine.url) for name, engine in loaded.settings.engines.items()}
        if spec.name == "mcp_servers":
            value = {
                name: hide_login(server.url) if server.url else " ".join(server.command[:1])
                for name, server in loaded.settings.mcp_servers.items()
            }
        if spec.name == "budgets":
            value = {name: budget.subject for name, budget in loaded.settings.budgets.items()}
        rows.append(
            SettingDescription(
                name=spec.name,
                variable=f"{PREFIX}{spec.name.upper()}",
                default=getattr(blank, spec.name),
                value=value,
                origin=loaded.origins.get(spec.name, "default"),
                sentence=spec.metadata["sentence"],
            )
        )
    return rows


@cache
def _types() -> dict[str, Any]:
    """Return the type of each setting, with its limits."""
    hints = get_type_hints(Settings, include_extras=True)
    return {
        spec.name: Annotated[hints[spec.name], Field(**spec.metadata.get("limits", {}))] for spec in fields(Settings)
    }


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_types()[name])  # all of them would take 50 ms of each start


def _parse(name: str, value: Any, origin: SettingOrigin, file: Path) -> Any:
    where = str(file) if origin == "file" else f"the {origin}"
    shown = f"{PREFIX}{name.upper()}" if origin == "environment" else name
    known = [spec.name for spec in fields(Settings)]
    if name not in known:
        near = _nearest(name, known)
        near = f"{PREFIX}{near.upper()}" if origin == "environment" else near
        raise SettingsError(f"Unknown setting {shown} in {where}; did you mean {near}?")
    try:
        return _validate(name, value, origin)
    except ValidationError as error:
        raise SettingsError(_describe(error, shown, where)) from None


_JSON_SETTINGS = ("budgets", "engines", "fallbacks", "identity", "mcp_servers", "opensearch", "search_keys")
"""Settings that the environment gives as JSON."""


def _validate(name: str, value: Any, origin: SettingOrigin) -> Any:
    adapter = _adapter(name)
    if origin == "environment" and name in _JSON_SETTINGS:
        return adapter.validate_json(value)
    if origin == "environment" and name in (
        "allowed_hosts",
        "cors_origins",
        "egress_hosts",
        "private_addresses",
        "trusted_proxies",
        "web_search",
    ):
        value = tuple(one.strip() for one in str(value).split(",") if one.strip())
    parsed = adapter.validate_python(value)
    return parsed.expanduser().absolute() if isinstance(parsed, Path) else parsed


def _describe(error: ValidationError, name: str, where: str) -> str:
    """Describe an invalid value in a sentence. Values that may hold a key are not repeated."""
    first = error.errors()[0]
    if first["type"] == "unexpected_keyword_argument":
        *path, last = _place(name, first["loc"])
        near = _nearest(last, [spec.name for spec in fields(_table(name, first["loc"]))])
        return f"Unknown setting {'.'.join([*path, last])} in {where}; did you mean {near}?"
    subject = f"The{where[3:]}" if where.startswith("the ") else where
    return f"{subject} sets {_fault(name, error)}."


_PROVIDER_KINDS = {"oidc": OidcSettings, "ldap": LdapSettings, "saml": SamlSettings}


def _place(name: str, loc: tuple[int | str, ...]) -> list[str]:
    """Return the names that lead to a value, as the file has them: pydantic adds the kind of an identity provider."""
    steps = [str(step) for step in loc if step != "[key]"]
    if name.lower().endswith("identity") and len(steps) > 1 and steps[1] in _PROVIDER_KINDS:
        del steps[1]
    return [name, *steps]


def _table(name: str, loc: tuple[int | str, ...]) -> type[Any]:
    """Return the class whose fields a table in a setting may have."""
    if name.lower().endswith("identity"):
        return _PROVIDER_KINDS[str(loc[1])]
    if name.lower().endswith("mcp_servers"):
        return McpServerSettings
    return Price if "prices" in loc else EngineSettings


def _fault(name: str, error: ValidationError) -> str:
    """Describe an invalid value: what is set to it, and what it should be."""
    first = error.errors()[0]
    *path, last = _place(name, first["loc"])
    place = ".".join([*path, last])
    match first["type"]:
        case "tuple_type":
            return f"{place}, which is not a list of models"
        case "missing" | "missing_argument":
            return f"{'.'.join(path)} without {last}; add it"
        case "union_tag_not_found" | "union_tag_invalid":
            return f"{place} without a known kind; set kind to oidc, ldap or saml"
        case "string_pattern_mismatch":
            if "[key]" in first["loc"]:
                return f"{place}, a name that can't be; use lower-case letters, digits and hyphens"
            if last == "allowed_domains" or path[-1:] == ["allowed_domains"]:
                return f"{place} to {first['input']!r}, which is not a mail domain; write it alone, such as example.eu"
            if name.lower().endswith("identity") and last == "url":
                return f"{place} to {first['input']!r}, which is not an address that begins with ldaps:// or ldap://"
            if name.lower().endswith("database_url"):
                return f"{name}, which must be an address that begins with postgresql://"
            if name.lower().endswith("base_path"):
                return f"{name} to {first['input']!r}, which is not a path; write it as /assistant"
            if name.lower().endswith("public_url"):
                return f"{name} to {first['input']!r}, which is not an address; write it as https://ai.example.org"
            if name.lower().endswith("egress_hosts"):
                return f"{name} to {first['input']!r}, which is not a host name; write it alone, such as example.eu"
            if name.lower().endswith("private_addresses"):
                return f"{name} to {first['input']!r}, which is not a host and port; write both, such as 10.0.0.5:8888"
            if name.lower().endswith("organisation_country"):
                return f"{name} to {first['input']!r}, which is not a country code; write two letters, such as DE"
            if last == "currency":
                return f"{place} to {first['input']!r}, which is not a currency code; write three letters, such as EUR"
            return f"{place} to {first['input']!r}, which is not an address that begins with http:// or https://"
        case _:
            ends = ("key", "engines", "identity", "mcp_servers", "client_secret", "bind_password")
            private = place.lower().endswith(ends) or any(
                each in place.lower() for each in ("search_keys", "mcp_servers")
            )
            secret = private or not isinstance(first["input"], str | int | float)
            value = "" if secret else f" to {first['input']!r}"
            return f"{place}{value}: {first['msg'][0].lower()}{first['msg'][1:]}"


def _nearest(name: str, known: list[str]) -> str:
    return difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]


def _read_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as handle:
            return tomllib.load(handle)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not TOML: {error}; correct it.") from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}; check who may read it.") from error


def _read_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Read the environment variables that are settings; an empty one counts as unset. Raises SettingsError."""
    found = {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environ.items()
        if key.startswith(PREFIX) and key != FILE_VARIABLE and value
    }
    for name in SECRETS:
        path = found.pop(f"{name}_file", None)
        if path is not None:
            variable = f"{PREFIX}{name.upper()}"
            if name in found:
                raise SettingsError(f"{variable} and {variable}_FILE are both set; keep one of them.")
            found[name] = _read_secret(Path(path).expanduser(), f"{variable}_FILE")
    return found


def _read_secret(path: Path, variable: str) -> str:
    """Read a secret, without the white space around it. Raises SettingsError."""
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't UTF-8 text"
        raise SettingsError(f"{path} cannot be read: {reason}; check the file that {variable} names.") from error
    if not secret:
        raise SettingsError(f"{path} is empty; write what {variable} names it for, or unset that.")
    return secret

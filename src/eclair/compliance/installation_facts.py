"""Facts about an installation, as its settings and its state have them. Nothing is called or changed for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from eclair.accounts.shown_budgets import is_house_hidden
from eclair.models.catalog import CatalogEntry, load_entries
from eclair.network.countries import EU_EEA_COUNTRIES
from eclair.network.exposure import is_exposed, is_unencrypted
from eclair.network.policy import is_local_network
from eclair.outgoing_data import OutgoingData, list_outgoing_data
from eclair.schema.models import Model
from eclair.schema.works_council import may_show_part
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.literacy import LiteracyCounts
from eclair.storage.retention import RetentionRule

MIN_LOG_DAYS = 183
"""Six months (AI Act, Art. 26 (6))."""


@dataclass(frozen=True, slots=True)
class UsedModel:
    """A model that can be asked here, with what the catalog says of it."""

    model: Model
    entry: CatalogEntry | None


@dataclass(frozen=True, slots=True)
class LogPeriod:
    """The days for which a log is kept; 0 without a limit. `setting` limits it."""

    setting: str
    days: int

    @property
    def is_long_enough(self) -> bool:
        """True from six months on."""
        return self.days == 0 or self.days >= MIN_LOG_DAYS


@dataclass(frozen=True, slots=True)
class InstallationFacts:
    """An installation: its settings, its models, and where data goes."""

    settings: Settings
    models: tuple[UsedModel, ...]
    outgoing: tuple[OutgoingData, ...]
    literacy: LiteracyCounts | None = None
    """None where works-council mode hides how often the literacy page was offered and read."""
    rules: tuple[RetentionRule, ...] = ()
    holds: int = 0

    @property
    def has_limit(self) -> bool:
        """True if conversations are erased after some days, by the settings or a rule for everyone."""
        ruled = any(rule.scope == "everyone" and rule.days is not None for rule in self.rules)
        return self.settings.keep_days > 0 or ruled

    @property
    def is_exposed(self) -> bool:
        """True if other machines can reach it."""
        return is_exposed(self.settings)

    @property
    def is_unencrypted(self) -> bool:
        """True if what people write crosses a network unencrypted."""
        return is_unencrypted(self.settings)

    @property
    def recipients(self) -> tuple[OutgoingData, ...]:
        """The services that get what people write: engines and searches."""
        return tuple(each for each in self.outgoing if each.kind in ("answers", "search", "pages"))

    @property
    def outside_europe(self) -> tuple[OutgoingData, ...]:
        """The recipients outside the EU and the EEA, or in a place that isn't known."""
        return tuple(each for each in self.recipients if is_outside_europe(each))

    @property
    def logs(self) -> tuple[LogPeriod, ...]:
        """The logs that a deployer of a high-risk use must keep for six months."""
        return list_logs(self.settings)

    @property
    def short_logs(self) -> tuple[LogPeriod, ...]:
        """The logs that are erased before six months are over."""
        return tuple(log for log in self.logs if not log.is_long_enough)


def list_logs(settings: Settings) -> tuple[LogPeriod, ...]:
    """List the logs that a deployer of a high-risk use must keep for six months."""
    names = ("egress_days", "audit_days", "run_log_days", "keep_days")
    return tuple(LogPeriod(name, getattr(settings, name)) for name in names)


def describe_short_logs(settings: Settings) -> str | None:
    """Say in a sentence which logs end too early for a high-risk use; None if none is stated, or all are kept."""
    short = [f"`{log.setting}`" for log in list_logs(settings) if not log.is_long_enough]
    if not settings.high_risk_use or not short:
        return None
    return f"`high_risk_use` is set, but {', '.join(short)} end before six months, {MIN_LOG_DAYS} days."


def is_outside_europe(recipient: OutgoingData) -> bool:
    """Tell whether a recipient is outside the EU and the EEA, or in a place that isn't known."""
    hosts = [host for host in recipient.hosts if not is_local_network(urlsplit(f"//{host}").hostname or "")]
    return bool(hosts) and recipient.country not in EU_EEA_COUNTRIES


async def gather_facts(settings: Settings, models: Sequence[Model], storage: Storage) -> InstallationFacts:
    """Gather the facts; `models` are those that can be asked."""
    counts = await _literacy_counts(settings, storage)
    rules, holds = await storage.retention.list_rules(), await storage.retention.list_holds()
    entries = load_entries(settings.catalog)
    used = tuple(UsedModel(model, entries.get(model.id)) for model in models)
    outgoing = tuple(await list_outgoing_data(settings))
    return InstallationFacts(settings, used, outgoing, counts, tuple(rules), len(holds))


async def _literacy_counts(settings: Settings, storage: Storage) -> LiteracyCounts | None:
    counts = await storage.literacy.get_literacy_counts()
    is_of_few = settings.works_council and not may_show_part(counts.read, counts.offered)
    return None if is_of_few or await is_house_hidden(settings, storage) else counts

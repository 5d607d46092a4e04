"""`/metrics`: counts and states of this process in Prometheus' text format."""

from __future__ import annotations

import asyncio
import importlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request, Response

import eclair
from eclair.accounts.shown_budgets import is_house_hidden
from eclair.app import App
from eclair.errors import StoreError
from eclair.llm.base import EndpointState, EngineState, PooledEngine
from eclair.schema.jobs import WORK_KINDS, QueueKind
from eclair.server.readiness import CheckResult, Readiness
from eclair.server.request_counts import COUNTS_KEY, RequestCounts
from eclair.storage.backup.schedule import BackupStatus
from eclair.util.histogram import Histogram

DATABASE_FILES = ("eclair.db", "eclair.db-wal")
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
QUEUE_NAMES: Mapping[QueueKind, str] = {"read": "documents", "embed": "embeddings"}
STATES: tuple[EngineState, ...] = ("ready", "loading", "down")

Sample = tuple[str, Mapping[str, str], float]
"""A suffix of the metric's name, labels, and the value."""


@dataclass(frozen=True, slots=True)
class MetricFamily:
    name: str
    sentence: str
    kind: Literal["counter", "gauge", "histogram"]
    samples: list[Sample]

    @classmethod
    def counter(cls, name: str, sentence: str, values: Mapping[str, float], label: str = "") -> MetricFamily:
        """Build a counter; with a `label`, the keys of `values` are its values."""
        samples: list[Sample] = [("_total", {label: key} if label else {}, value) for key, value in values.items()]
        return cls(name, sentence, "counter", samples)

    @classmethod
    def gauge(cls, name: str, sentence: str, value: float, **labels: str) -> MetricFamily:
        return cls(name, sentence, "gauge", [("", labels, value)])

    @classmethod
    def histogram(cls, name: str, sentence: str, values: Histogram) -> MetricFamily:
        buckets = values.buckets()
        samples: list[Sample] = [("_bucket", {"le": bound}, count) for bound, count in buckets]
        return cls(name, sentence, "histogram", [*samples, ("_count", {}, buckets[-1][1]), ("_sum", {}, values.sum)])


def router(app: App) -> APIRouter:
    api = APIRouter(tags=["health"])
    readiness = Readiness.from_app(app)

    @api.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics(request: Request) -> Response:
        requests: RequestCounts = request.scope["state"][COUNTS_KEY]
        checks = await readiness.check_parts()
        families = [*_states(app), *_processes(app), *_endpoints(app), *_backups(await app.backups.status())]
        if checks["database"].is_ok or checks["database"].allows_reading:
            try:
                families += await _stored(app, requests)
            except StoreError as error:  # since it was checked
                checks["database"] = CheckResult(False, error.message)
        families.append(_checks(checks))
        content, media_type = await asyncio.to_thread(_render, app.settings.data_dir, families)
        return Response(content, headers={"Content-Type": media_type})

    return api


async def _stored(app: App, requests: RequestCounts) -> list[MetricFamily]:
    """Return what the database holds or has to permit. Raises StoreError."""
    families = [*await _work(app), _engines(await app.registry.last_states())]
    if not await is_house_hidden(app.settings, app.storage):
        families += [*_requests(requests), *_answers(app)]
    return families


def _checks(found: Mapping[str, CheckResult]) -> MetricFamily:
    samples: list[Sample] = [("", {"check": name}, result.is_ok) for name, result in found.items()]
    return MetricFamily("eclair_check_ok", "1 if a part works, as /api/health/ready checks it.", "gauge", samples)


def _backups(status: BackupStatus) -> Iterator[MetricFamily]:
    """Yield the age of the newest backup, infinite where there is none, if there are to be any."""
    age_s = math.inf if status.made is None else max(time.time() - status.made / 1000, 0)
    for name, sentence, value in (
        ("eclair_backup_age_seconds", "Age of the newest backup.", age_s),
        ("eclair_backup_interval_seconds", "Seconds between two backups.", status.hours * 3600),
    ):
        yield MetricFamily(name, sentence, "gauge", [("", {}, value)] if status.folder is not None else [])


def _requests(requests: RequestCounts) -> Iterator[MetricFamily]:
    samples: list[Sample] = [
        ("_total", {"method": method, "route": route, "status": str(status)}, count)
        for (method, route, status), count in requests.counts.items()
    ]
    yield MetricFamily("eclair_http_requests", "Requests by method, route and status.", "counter", samples)
    sentence = "Seconds that requests took, event streams to their end."
    yield MetricFamily.histogram("eclair_http_request_seconds", sentence, requests.seconds)


def _answers(app: App) -> Iterator[MetricFamily]:
    found = app.pipeline.statistics
    outcomes = {str(outcome): count for outcome, count in found.outcomes.items()}
    yield MetricFamily.gauge("eclair_answers_running", "Answers being made.", found.running)
    yield MetricFamily.counter("eclair_answers", "Answers that have ended, by outcome.", outcomes, "outcome")
    yield MetricFamily.counter("eclair_answer_words", "Words of answers.", {"": found.words})
    tokens = {"prompt": found.prompt_tokens, "completion": found.completion_tokens}
    yield MetricFamily.counter("eclair_tokens", "Tokens as engines count them, by kind.", tokens, "kind")
    yield MetricFamily.histogram(
        "eclair_first_word_seconds", "Seconds from question to first word.", found.first_word_s
    )
    ended = {str(status): count for status, count in app.schedule_runner.ended.items()}
    yield MetricFamily.counter("eclair_schedule_runs", "Runs of schedules that have ended, by status.", ended, "status")
    yield MetricFamily.histogram("eclair_words_per_second", "Words per second of answers.", found.words_per_second)


def _states(app: App) -> Iterator[MetricFamily]:
    yield MetricFamily.gauge("eclair_info", "The version, as a label.", 1, version=eclair.__version__)
    waiting: list[Sample] = [
        ("", {"engine": engine, "model": model}, count) for (engine, model), count in app.ledger.waiting().items()
    ]
    yield MetricFamily("eclair_engine_queue_length", "Questions that wait for an engine.", "gauge", waiting)


def _processes(app: App) -> Iterator[MetricFamily]:
    """Yield the lease of this process, how soon others hear of what it writes, and what it took over from dead ones."""
    lease = app.storage.processes.lease
    age: list[Sample] = [] if lease.age_s is None else [("", {}, lease.age_s)]
    yield MetricFamily("eclair_lease_age_seconds", "Time since the lease was renewed.", "gauge", age)
    offset: list[Sample] = [] if lease.clock_offset_s is None else [("", {}, lease.clock_offset_s)]
    sentence = "Seconds by which the clock of this machine is ahead of the database's."
    yield MetricFamily("eclair_clock_offset_seconds", sentence, "gauge", offset)
    failed = {"": float(lease.failed_renewals)}
    yield MetricFamily.counter("eclair_lease_renewal_failures", "Renewals of the lease that failed.", failed)
    sentence = "Seconds until other processes hear of a write or a change."
    yield MetricFamily.histogram("eclair_notice_seconds", sentence, lease.notice_s)
    kinds = {
        "answers": app.runs.interrupted,
        "jobs": app.storage.jobs.freed,
        "schedules": app.schedule_runner.taken_over,
    }
    sentence = "Work of dead processes that this one ended, freed or took over, by kind."
    yield MetricFamily.counter("eclair_taken_over", sentence, kinds, "kind")


async def _work(app: App) -> list[MetricFamily]:
    """Return the queues of background work, those of documents as all processes see them."""
    jobs = app.storage.jobs
    queues, workers = await jobs.list_queues(app.embedder.name if app.embedder else None), await jobs.list_workers()
    waiting: list[Sample] = [
        ("", {"queue": "images"}, app.images.waiting),
        *(("", {"queue": QUEUE_NAMES[queue.kind]}, queue.waiting) for queue in queues),
    ]
    running: list[Sample] = [("", {"queue": QUEUE_NAMES[queue.kind]}, queue.running) for queue in queues]
    oldest: list[Sample] = [
        ("", {"queue": QUEUE_NAMES[queue.kind]}, queue.oldest_s) for queue in queues if queue.oldest_s is not None
    ]
    doing: list[Sample] = [("", {"kind": kind}, sum(kind in worker.kinds for worker in workers)) for kind in WORK_KINDS]
    return [
        MetricFamily("eclair_queue_length", "Jobs that wait, by queue.", "gauge", waiting),
        MetricFamily("eclair_queue_running", "Jobs that are being done, by queue.", "gauge", running),
        MetricFamily("eclair_queue_oldest_seconds", "Age of the oldest job that isn't done.", "gauge", oldest),
        MetricFamily("eclair_workers", "Processes that do background work, by kind.", "gauge", doing),
    ]


def _engines(states: Mapping[str, EngineState]) -> MetricFamily:
    samples: list[Sample] = [
        ("", {"engine": name, "state": state}, state == current) for name, current in states.items() for state in STATES
    ]
    sentence = "1 for the state that each engine had when it was last asked."
    return MetricFamily("eclair_engine_state", sentence, "gauge", samples)


def _endpoints(app: App) -> Iterator[MetricFamily]:
    """Yield the state and work of endpoints that share an engine's work."""
    pools = [engine for engine in app.registry.engines.values() if isinstance(engine, PooledEngine)]
    each = [({"engine": pool.name, "endpoint": it.name}, it) for pool in pools for it in pool.endpoints]

    def family(
        name: str, sentence: str, kind: Literal["counter", "gauge"], value: Callable[[EndpointState], float]
    ) -> MetricFamily:
        suffix = "_total" if kind == "counter" else ""
        return MetricFamily(name, sentence, kind, [(suffix, labels, value(it)) for labels, it in each])

    yield family("eclair_endpoint_up", "1 if the endpoint answers.", "gauge", lambda it: it.fault is None)
    yield family("eclair_endpoint_running", "Questions the endpoint works on.", "gauge", lambda it: it.running)
    yield family("eclair_endpoint_answers", "Answers that the endpoint began.", "counter", lambda it: it.answers)
    yield family("eclair_endpoint_failures", "Questions that it failed.", "counter", lambda it: it.failures)
    hedged = {pool.name: float(pool.hedges) for pool in pools}
    yield MetricFamily.counter("eclair_hedges", "Questions that a second endpoint was asked too.", hedged, "engine")


def _disk(folder: Path) -> Iterator[MetricFamily]:
    size = sum(path.stat().st_size for name in DATABASE_FILES if (path := folder / name).exists())
    yield MetricFamily.gauge("eclair_database_bytes", "Size of the database and its log.", size)
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    yield MetricFamily.gauge("eclair_disk_free_bytes", "Room on the disk of the data folder.", free)


def _render(folder: Path, families: list[MetricFamily]) -> tuple[bytes, str]:
    """Render the metrics, and those of the process and the disk; return them with their media type. Blocks."""
    prometheus: Any = importlib.import_module("prometheus_client")  # 140 ms, for whoever asks first

    class Collector:
        def collect(self) -> Iterator[Any]:
            for family in [*families, *_disk(folder)]:
                metric = prometheus.Metric(family.name, family.sentence, family.kind)
                for suffix, labels, value in family.samples:
                    metric.add_sample(family.name + suffix, labels, value)
                yield metric

    registry = prometheus.CollectorRegistry()
    prometheus.ProcessCollector(registry=registry)
    registry.register(Collector())
    return prometheus.generate_latest(registry), MEDIA_TYPE

"""Requests generated from the OpenAPI document, right and wrong ones, and replies that are held to it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.core.control import SkipTest
from schemathesis.core.failures import FailureGroup

LEFT_OUT = (
    "/api/changes",
    "/api/engines",
    "/api/feeds",
    "/api/models/pulls",
    "/api/pull",
    "/api/web",
)
"""Beginnings of paths that stream without end or call out."""

EXPECTED_FIVES = frozenset({501, 502, 503})
"""What a model that writes prose for everything, and a service that isn't there, lead to."""

REPLY_CHECKS = ["status_code_conformance", "content_type_conformance", "response_schema_conformance"]
TIMEOUT_S = 30.0


@dataclass(slots=True)
class Trial:
    """`faults` are sentences by what was wrong; `counts` the replies by status; `operations` were tried."""

    faults: dict[str, str] = field(default_factory=dict[str, str])
    counts: Counter[int] = field(default_factory=Counter[int])
    operations: int = 0

    def attempt(self, case: Any, address: str) -> None:
        """Send a request, and note what its reply has wrong."""
        reply = case.call(base_url=address, timeout=TIMEOUT_S)
        self.counts[reply.status_code] += 1
        names = [*REPLY_CHECKS, *([] if reply.status_code in EXPECTED_FIVES else ["not_a_server_error"])]
        registry = cast("Any", checks.CHECKS)  # pyright: ignore[reportUnknownMemberType]
        try:
            case.validate_response(reply, checks=registry.get_by_names(names))
        except FailureGroup as group:
            for failure in group.exceptions:
                label = f"{case.method} {case.operation.path}: {type(failure).__name__} {reply.status_code}"
                self.faults.setdefault(label, f"{label}\n{failure}\n{case.as_curl_command()}")


def operations(document: dict[str, Any]) -> Iterator[Any]:
    """The operations that can be tried without calling out, those of foreign APIs first."""
    found: Any = schemathesis.openapi.from_dict(document)
    # Where no part of a request can be wrong, stop at the first try; Hypothesis would reject 459.
    found.config.generation.update(modes=[schemathesis.GenerationMode.NEGATIVE])
    all_of_them = [each.ok() for each in found.get_all_operations()]
    for operation in sorted(all_of_them, key=lambda operation: not operation.path.startswith("/v1/")):
        if not operation.path.startswith(LEFT_OUT):
            yield operation


def try_operations(document: dict[str, Any], address: str, examples: int, seed: int, seconds: float) -> Trial:
    """Try all operations, each for its share of the seconds that are left."""
    trial = Trial()
    tried = list(operations(document))
    ends = time.monotonic() + seconds
    for number, operation in enumerate(tried):
        until = time.monotonic() + (ends - time.monotonic()) / (len(tried) - number)
        _try_operation(operation, address, examples, seed, trial, until)
    trial.operations = len(tried)
    return trial


def _try_operation(operation: Any, address: str, examples: int, seed: int, trial: Trial, until: float) -> None:
    """Try as many right requests as wrong ones, but none after the moment `until`."""
    for mode in schemathesis.GenerationMode:
        if time.monotonic() >= until:
            return

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def attempt(case: Any) -> None:
            if time.monotonic() < until:
                trial.attempt(case, address)

        try:
            attempt()
        except (SkipTest, Unsatisfiable):
            continue  # a request without anything that could be wrong

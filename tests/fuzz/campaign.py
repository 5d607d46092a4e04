"""Tries changed copies of a target's seeds, and keeps in `tests/corpus/` what broke its contract."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import resource
import sys
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.mutations import mutated
from tests.fuzz.target import Attempt
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parents[1] / "corpus"
MAX_CPU_S = 5.0
"""Processor time of this process for one input; processes of sandboxes have limits of their own."""
MAX_WALL_S = 30.0
MAX_GROWTH_BYTES = 512 << 20
"""Memory that one input may add to the peak of this process."""

Tried = Callable[[str, bytes], bool]


def kept(target: str) -> list[Path]:
    """Return the inputs that broke the target once, and must not again."""
    return sorted(path for path in (CORPUS / target).glob("*") if path.is_file())


def keep(target: str, name: str, data: bytes) -> Path:
    """Keep an input, as `<hash>-<name of its seed>`."""
    path = CORPUS / target / f"{hashlib.sha256(data).hexdigest()[:12]}-{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@contextlib.contextmanager
def trying(target: str, folder: Path) -> Generator[tuple[Mapping[str, bytes], Tried]]:
    """Open a target; yield its seeds, and a function that tries an input within the limits of time."""
    chosen = TARGETS[target]
    seeds = chosen.seeds(folder)
    with asyncio.Runner() as runner:
        context = chosen.begin(folder)
        attempt = runner.run(context.__aenter__())
        try:
            yield seeds, lambda name, data: runner.run(_bounded(attempt, name, data))
        finally:
            runner.run(context.__aexit__(None, None, None))


async def _bounded(attempt: Attempt, name: str, data: bytes) -> bool:
    began, before = time.process_time(), _peak_bytes()
    async with asyncio.timeout(MAX_WALL_S):
        gave_result = await attempt(name, data)
    taken = time.process_time() - began
    assert taken < MAX_CPU_S, f"{name} took {taken:.1f} s"
    grown = _peak_bytes() - before
    assert grown < MAX_GROWTH_BYTES, f"{name} took {grown >> 20} MB"
    return gave_result


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def explore(seeds: Mapping[str, bytes], tried: Tried, examples: int, number: int | None = None) -> None:
    """Try changed copies; with a number, others than without. The last one tried is the simplest that fails."""
    phases = (Phase.explicit, Phase.generate, Phase.shrink)
    configure = settings(
        max_examples=examples,
        derandomize=number is None,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        print_blob=False,
    )

    def one(named: tuple[str, bytes]) -> None:
        tried(*named)

    test = given(mutated(seeds))(one)
    configure(test if number is None else seed(number)(test))()

"""What an engine's process on this machine takes of electricity, shared out among the answers that it gives.

Where the processor counts its own energy (RAPL: Intel, and AMD by the same files) and its counters may be read, the
process has the share of them that its processor time has of the machine's. Elsewhere its processor time is taken times
the watts of a busy core. What other parts of the machine take is in neither: a GPU, disks, fans, the power supply.
Sources: the kernel's Documentation/power/powercap/powercap.rst and proc(5).
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from eclair.llm.base import EnergyUse

POWERCAP = Path("/sys/class/powercap")
PROC = Path("/proc")
_COUNTED = re.compile(r"package-\d+|dram")
"""The domains that are counted: `core` and `uncore` lie within the package, `psys` around it."""
_TIME = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class EnergyCounter:
    """One energy counter in microjoules, which begins anew after `range`."""

    file: Path
    range: int

    def read(self) -> int:
        """Raises OSError where it may not be read, ValueError where it is no number."""
        return int(self.file.read_text())


@dataclass(frozen=True, slots=True)
class EnergySample:
    """What is known at one moment: the process and its processor time in seconds, that of the whole machine, and the
    counters; None where they cannot be read."""

    process: int
    cpu: float
    busy: float | None
    counters: tuple[int, ...] | None


class EnergyReader:
    """Reads processor time and energy. Folders and the command that stands in for /proc elsewhere are arguments."""

    def __init__(self, powercap: Path = POWERCAP, proc: Path = PROC, *, linux: bool = sys.platform == "linux") -> None:
        self._proc = proc
        self._linux = linux
        self._ticks = os.sysconf("SC_CLK_TCK") if linux else 1
        self.counters = _counters(powercap) if linux else ()

    def sample(self, process: int) -> EnergySample | None:
        """None where the process is not there or cannot be looked at."""
        cpu = self._cpu(process)
        return None if cpu is None else EnergySample(process, cpu, self._busy(), self._read())

    def _cpu(self, process: int) -> float | None:
        if not self._linux:
            return _asked(process)
        try:
            text = (self._proc / str(process) / "stat").read_text(errors="replace")
            fields = text.rpartition(")")[2].split()  # its name, which may hold anything, stands in parentheses
            return (int(fields[11]) + int(fields[12])) / self._ticks
        except (OSError, ValueError, IndexError):
            return None

    def _busy(self) -> float | None:
        """Seconds that all cores together were at work; guests are among the user's."""
        if not self.counters:
            return None
        try:
            with (self._proc / "stat").open() as file:
                user, nice, system, _, _, irq, softirq = map(int, file.readline().split()[1:8])
        except (OSError, ValueError):
            return None
        return (user + nice + system + irq + softirq) / self._ticks

    def _read(self) -> tuple[int, ...] | None:
        try:
            return tuple(counter.read() for counter in self.counters) or None
        except (OSError, ValueError):
            return None

    def joules(self, since: EnergySample, now: EnergySample) -> float | None:
        """What the process took between the two by the counters; None where they cannot tell."""
        if since.counters is None or now.counters is None or since.busy is None or now.busy is None:
            return None
        micro = sum(
            (after - before) % (counter.range + 1)
            for counter, before, after in zip(self.counters, since.counters, now.counters, strict=True)
        )
        cpu, busy = now.cpu - since.cpu, now.busy - since.busy
        return micro / 1e6 * min(1.0, cpu / busy) if busy > 0 else 0.0


class EnergyMeter:
    """Shares out what one process takes: answers that are at work at the same time have equal parts of it.

    `process` says which one it is at the moment. Where it is another than it was, what it took before is nobody's.
    """

    def __init__(self, machine: EnergyReader, process: Callable[[], int | None], core_watts: float) -> None:
        self._machine = machine
        self._process = process
        self._core_watts = core_watts
        self._open: list[EnergyUse] = []
        self._last: EnergySample | None = None

    @contextlib.contextmanager
    def measure(self, tab: EnergyUse) -> Generator[None]:
        """What is taken within is noted on `tab`, as far as it is its."""
        self._settle()
        self._open.append(tab)
        try:
            yield
        finally:
            self._settle()
            self._open = [other for other in self._open if other is not tab]

    def _settle(self) -> None:
        process = self._process()
        now = None if process is None else self._machine.sample(process)
        since, self._last = self._last, now
        if now is None or since is None or since.process != now.process or not self._open:
            return
        joules = self._machine.joules(since, now)
        for tab in self._open:
            if joules is None:
                tab.estimated_joules += (now.cpu - since.cpu) * self._core_watts / len(self._open)
            else:
                tab.measured_joules += joules / len(self._open)


def _counters(folder: Path) -> tuple[EnergyCounter, ...]:
    """Those of the processors and of their memory that can be read."""
    found: list[EnergyCounter] = []
    for zone in sorted(folder.glob("intel-rapl:*")):
        with contextlib.suppress(OSError, ValueError):
            if _COUNTED.fullmatch((zone / "name").read_text().strip()):
                counter = EnergyCounter(zone / "energy_uj", int((zone / "max_energy_range_uj").read_text()))
                counter.read()
                found.append(counter)
    return tuple(found)


def _asked(process: int) -> float | None:
    """The processor time of a process as `ps` has it, where there is no /proc."""
    found = subprocess.run(["ps", "-o", "time=", "-p", str(process)], capture_output=True, text=True, check=False)
    return parse_cpu_time(found.stdout.strip())


def parse_cpu_time(time: str) -> float | None:
    """A processor time of `ps`, such as `0:01.23` or `1-02:03:04`, in seconds; None for anything else."""
    match = _TIME.fullmatch(time)
    if match is None:
        return None
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest

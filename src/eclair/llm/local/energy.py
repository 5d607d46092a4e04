"""Measures the energy of a local engine's process, shared out among its answers.

If the CPU counts its own energy (RAPL: Intel, and AMD with the same files) and its counters are readable, the process
gets the share of them that its CPU time has of the machine's. Otherwise its CPU time is multiplied by the watts of a
busy core. Other parts of the machine aren't included: GPU, disks, fans, the power supply. Sources: the kernel's
Documentation/power/powercap/powercap.rst and proc(5).
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
from eclair.util.child_environment import child_environment

POWERCAP = Path("/sys/class/powercap")
PROC = Path("/proc")
_COUNTED = re.compile(r"package-\d+|dram")
"""The domains that are counted: `core` and `uncore` are part of the package, `psys` contains it."""
_TIME = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class EnergyCounter:
    """An energy counter in microjoules, which wraps after `range`."""

    file: Path
    range: int

    def read(self) -> int:
        """Read the counter. Raises OSError if it isn't readable, ValueError if it is not a number."""
        return int(self.file.read_text())


@dataclass(frozen=True, slots=True)
class EnergySample:
    """A sample: CPU time of the process and of all cores, in seconds, and the counters.

    None for what can't be read.
    """

    process: int
    cpu: float
    busy: float | None
    counters: tuple[int, ...] | None


class EnergyReader:
    """Reads CPU time and energy counters. Folders and platform are arguments for tests."""

    def __init__(self, powercap: Path = POWERCAP, proc: Path = PROC, *, linux: bool = sys.platform == "linux") -> None:
        self._proc = proc
        self._linux = linux
        self._ticks = os.sysconf("SC_CLK_TCK") if linux else 1
        self.counters = _counters(powercap) if linux else ()

    def sample(self, process: int) -> EnergySample | None:
        """Take a sample; None if the process is gone or can't be inspected."""
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
        """Return the CPU time of all cores; guests are included in the user's."""
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
        """Return the energy of the process between two samples; None without counters."""
        if since.counters is None or now.counters is None or since.busy is None or now.busy is None:
            return None
        micro = sum(
            (after - before) % (counter.range + 1)
            for counter, before, after in zip(self.counters, since.counters, now.counters, strict=True)
        )
        cpu, busy = now.cpu - since.cpu, now.busy - since.busy
        return micro / 1e6 * min(1.0, cpu / busy) if busy > 0 else 0.0


class EnergyMeter:
    """Divides the energy of one process equally among the answers being made.

    `process` returns its current id. When that changes, what was used before counts for nobody.
    """

    def __init__(self, machine: EnergyReader, process: Callable[[], int | None], core_watts: float) -> None:
        self._machine = machine
        self._process = process
        self._core_watts = core_watts
        self._open: list[EnergyUse] = []
        self._last: EnergySample | None = None

    @contextlib.contextmanager
    def measure(self, energy: EnergyUse) -> Generator[None]:
        """Add the energy used within the block to `energy`."""
        self._settle()
        self._open.append(energy)
        try:
            yield
        finally:
            self._settle()
            self._open = [other for other in self._open if other is not energy]

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
    """Return the readable counters of the CPUs and their memory."""
    found: list[EnergyCounter] = []
    for zone in sorted(folder.glob("intel-rapl:*")):
        with contextlib.suppress(OSError, ValueError):
            if _COUNTED.fullmatch((zone / "name").read_text().strip()):
                counter = EnergyCounter(zone / "energy_uj", int((zone / "max_energy_range_uj").read_text()))
                counter.read()
                found.append(counter)
    return tuple(found)


def _asked(process: int) -> float | None:
    """Return the CPU time of a process as `ps` reports it, where there is no /proc."""
    found = subprocess.run(
        ["ps", "-o", "time=", "-p", str(process)], capture_output=True, text=True, check=False, env=child_environment()
    )
    return parse_cpu_time(found.stdout.strip())


def parse_cpu_time(time: str) -> float | None:
    """Parse a CPU time of `ps`, such as `0:01.23` or `1-02:03:04`, to seconds; else None."""
    match = _TIME.fullmatch(time)
    if match is None:
        return None
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest

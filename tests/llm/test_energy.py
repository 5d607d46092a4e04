"""The energy of an engine's process, on a machine made of files."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.llm.base import EnergyUse
from eclair.llm.local.energy import EnergyCounter, EnergyMeter, EnergyReader, EnergySample, parse_cpu_time

TICKS = os.sysconf("SC_CLK_TCK")
RANGE = 1_000_000
PROCESS = 4711


class Fake:
    """A machine whose counters are set by hand: `cpu` and `busy` in seconds, `micro` of its one package."""

    def __init__(self, folder: Path, *, counted: bool = True) -> None:
        self.powercap, self.proc = folder / "powercap", folder / "proc"
        (self.proc / str(PROCESS)).mkdir(parents=True)
        self.powercap.mkdir()
        if counted:
            self.zone("intel-rapl:0", "package-0", 0)
        self.set(0, 0, 0)

    def zone(self, folder: str, name: str, micro: int) -> Path:
        zone = self.powercap / folder
        zone.mkdir()
        (zone / "name").write_text(f"{name}\n")
        (zone / "max_energy_range_uj").write_text(f"{RANGE}\n")
        (zone / "energy_uj").write_text(f"{micro}\n")
        return zone

    def set(self, cpu: float, busy: float, micro: int) -> None:
        user, system = round(cpu * TICKS) // 2, round(cpu * TICKS) - round(cpu * TICKS) // 2
        spent = f"{PROCESS} (a ) name (odd) R 1 1 1 0 -1 0 0 0 0 0 {user} {system} 7 7 20 0 1 0 5 9 9\n"
        (self.proc / str(PROCESS) / "stat").write_text(spent)
        (self.proc / "stat").write_text(f"cpu  {round(busy * TICKS)} 0 0 999 999 0 0 0 50 50\ncpu0 1 1 1 1\n")
        if (self.powercap / "intel-rapl:0").exists():
            (self.powercap / "intel-rapl:0" / "energy_uj").write_text(f"{micro % (RANGE + 1)}\n")

    def machine(self) -> EnergyReader:
        return EnergyReader(self.powercap, self.proc, linux=True)

    def meter(self, watts: float = 4) -> EnergyMeter:
        return EnergyMeter(self.machine(), lambda: PROCESS, watts)


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


def test_the_process_has_its_share_of_what_the_counters_say(fake: Fake) -> None:
    tab = EnergyUse()
    with fake.meter().measure(tab):
        fake.set(cpu=1, busy=4, micro=800_000)
    assert (tab.measured_joules, tab.estimated_joules) == (pytest.approx(0.2), 0)


def test_without_counters_a_busy_core_takes_the_watts_of_the_setting(tmp_path: Path) -> None:
    fake, tab = Fake(tmp_path, counted=False), EnergyUse()
    with fake.meter(watts=6).measure(tab):
        fake.set(cpu=2.5, busy=4, micro=0)
    assert (tab.measured_joules, tab.estimated_joules) == (0, pytest.approx(15))


def test_what_was_taken_before_and_after_is_not_on_the_tab(fake: Fake) -> None:
    meter, tab = fake.meter(), EnergyUse()
    fake.set(cpu=10, busy=10, micro=500_000)
    with meter.measure(tab):
        pass
    fake.set(cpu=20, busy=20, micro=900_000)
    assert tab == EnergyUse()


def test_answers_together_share_moment_by_moment(fake: Fake) -> None:
    meter, long, short = fake.meter(), EnergyUse(), EnergyUse()
    with meter.measure(long):
        fake.set(cpu=1, busy=1, micro=100_000)
        with meter.measure(short):
            fake.set(cpu=2, busy=2, micro=300_000)
        fake.set(cpu=3, busy=3, micro=350_000)
    assert long.measured_joules == pytest.approx(0.1 + 0.1 + 0.05)
    assert short.measured_joules == pytest.approx(0.1)


def test_packages_and_memory_are_counted_and_what_lies_within_or_around_them_is_not(fake: Fake) -> None:
    fake.zone("intel-rapl:0:0", "core", 5)
    fake.zone("intel-rapl:0:1", "dram", 6)
    fake.zone("intel-rapl:1", "package-1", 7)
    fake.zone("intel-rapl:2", "psys", 8)
    assert [counter.file.parent.name for counter in fake.machine().counters] == [
        "intel-rapl:0",
        "intel-rapl:0:1",
        "intel-rapl:1",
    ]


def test_a_counter_that_cannot_be_read_leaves_an_estimate(fake: Fake) -> None:
    (fake.powercap / "intel-rapl:0" / "energy_uj").unlink()
    tab = EnergyUse()
    with fake.meter().measure(tab):
        fake.set(cpu=1, busy=2, micro=1)
    assert (tab.measured_joules, tab.estimated_joules) == (0, pytest.approx(4))


def test_counters_that_fall_silent_in_the_middle_leave_an_estimate(fake: Fake) -> None:
    meter, tab = fake.meter(), EnergyUse()
    with meter.measure(tab):
        fake.set(cpu=1, busy=2, micro=1)
        (fake.powercap / "intel-rapl:0" / "energy_uj").write_text("no number")
    assert (tab.measured_joules, tab.estimated_joules) == (0, pytest.approx(4))


def test_a_process_that_is_gone_or_another_is_charged_to_nobody(fake: Fake) -> None:
    process: int | None = None
    meter, tab = EnergyMeter(fake.machine(), lambda: process, 4), EnergyUse()
    with meter.measure(tab):
        fake.set(cpu=9, busy=9, micro=10)
        process = PROCESS
    with meter.measure(tab):
        (fake.proc / str(PROCESS) / "stat").unlink()
    assert tab == EnergyUse()


def test_the_time_of_this_process_is_read_from_the_real_machine() -> None:
    machine = EnergyReader()
    before = machine.sample(os.getpid())
    assert before is not None
    while (now := machine.sample(os.getpid())) is not None and now.cpu == before.cpu:
        pass
    assert now is not None
    assert now.cpu > before.cpu


def test_where_there_is_no_proc_ps_tells() -> None:
    machine = EnergyReader(linux=False)
    found = machine.sample(os.getpid())
    assert found is not None
    assert found.cpu >= 0
    assert found.counters is None
    assert machine.sample(2**22 + 1) is None


@given(
    before=st.integers(0, RANGE),
    steps=st.lists(st.integers(0, RANGE), max_size=20),
    busy=st.integers(1, 9),
)
def test_a_counter_that_begins_anew_loses_nothing(before: int, steps: list[int], busy: int) -> None:
    machine = EnergyReader(Path("/nowhere"), Path("/nowhere"), linux=True)
    machine.counters = (EnergyCounter(Path("/nowhere"), RANGE),)
    total, micro = 0.0, before
    for number, step in enumerate(steps):
        after = (micro + step) % (RANGE + 1)
        since = EnergySample(1, busy * number, busy * number, (micro,))
        joules = machine.joules(since, EnergySample(1, busy * (number + 1), busy * (number + 1), (after,)))
        assert joules is not None
        total, micro = total + joules, after
    assert total == pytest.approx(sum(steps) / 1e6)


@given(moves=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 500), st.integers(0, 500), st.integers(0, RANGE))))
def test_the_parts_are_the_whole(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, int, int, int]]
) -> None:
    """Answers come and go in any order; what the process takes while there are any is shared out whole."""
    fake = Fake(tmp_path_factory.mktemp("machine"))
    meter, tabs = fake.meter(), [EnergyUse() for _ in range(4)]
    opened: dict[int, ExitStack] = {}
    cpu, busy, micro, whole = 0.0, 0.0, 0, 0.0
    for which, own, others, taken in moves:
        if which in opened:
            opened.pop(which).close()
        else:
            opened[which] = ExitStack()
            opened[which].enter_context(meter.measure(tabs[which]))
        cpu, busy, micro = cpu + own / 100, busy + (own + others) / 100, micro + taken
        fake.set(cpu, busy, micro)
        if opened and own:
            whole += taken / 1e6 * own / (own + others)
    for stack in opened.values():
        stack.close()
    assert sum(tab.measured_joules for tab in tabs) == pytest.approx(whole)
    assert sum(tab.estimated_joules for tab in tabs) == 0


@given(days=st.integers(0, 9), hours=st.integers(0, 23), minutes=st.integers(0, 59), hundredths=st.integers(0, 5999))
def test_a_time_of_ps_reads_back(days: int, hours: int, minutes: int, hundredths: int) -> None:
    rest = f"{minutes:02}:{hundredths // 100:02}.{hundredths % 100:02}"
    whole = days * 86400 + hours * 3600 + minutes * 60 + hundredths / 100
    assert parse_cpu_time(f"{days}-{hours:02}:{rest}") == pytest.approx(whole)
    assert parse_cpu_time(f"{hours:02}:{rest}") == pytest.approx(whole - days * 86400)
    assert parse_cpu_time(rest) == pytest.approx(minutes * 60 + hundredths / 100)


@pytest.mark.parametrize("text", ["", "TIME", "12", "1:2:3:4", "a:b"])
def test_no_time_of_ps_is_none(text: str) -> None:
    assert parse_cpu_time(text) is None

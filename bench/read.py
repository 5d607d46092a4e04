"""What reading a page of the web takes of the processor: real pages, through the processes in which they are read.

Pages are HTML files, or folders of them, given by path; with none given, three of Debian's packages are downloaded by
`apt-get` and unpacked in a temporary folder. Beside Éclair, which makes passages with headings, dates and what a page
says of itself, trafilatura alone takes the text out of the same bytes, in this process and by turns.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from harness import Goals, Others, median, options, quantile, run, shown, table
from trafilatura import extract

from eclair.documents.parse_protocol import ServedPage
from eclair.errors import UserError
from eclair.web.pages.reader import page_parser

PACKAGES = ("python3.13-doc", "debian-reference-de", "debian-handbook")
PAGES = 60
LEAST, MOST = 4_000, 400_000
"""Bytes of a page: less is a redirect or a frame, and of more there are few."""


def fetch(folder: Path) -> list[Path]:
    """The pages of Debian's packages."""
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, check=True, capture_output=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "unpacked"], check=True)
    return [folder]


def chosen(places: Sequence[Path], count: int) -> list[Path]:
    """So many pages, the same ones each time."""
    found = [path for place in places for path in (sorted(place.rglob("*.html")) if place.is_dir() else [place])]
    fit = [path for path in found if not path.is_symlink() and LEAST <= path.stat().st_size <= MOST]
    return random.Random(3).sample(fit, min(count, len(fit)))


def spent() -> float:
    """CPU seconds of the processes that read, as long as they live."""
    times = [each.cpu_times() for each in psutil.Process().children(recursive=True)]
    return sum(each.user + each.system for each in times)


def alone(path: Path) -> float:
    """CPU seconds that trafilatura takes for the text."""
    began = time.process_time()
    extract(path.read_bytes(), include_comments=False)
    return time.process_time() - began


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE", help="HTML files, or folders that hold some")
    wanted = parser.parse_args()
    goals, reading = Goals(), page_parser()
    ours, theirs, sizes, refused = list[float](), list[float](), list[int](), 0
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        paths = chosen(wanted.pages or fetch(Path(folder)), 12 if wanted.quick else PAGES)
        if not paths:
            raise SystemExit("None of these places holds a page; name HTML files.")
        served = ServedPage("https://reader.example/page", "text/html", None, "2026-11-01")
        others = Others()
        for path in (paths[0], *paths):  # the first time is the process's start
            before = spent()
            try:
                await reading.read_web_page(path, path.name, served)
            except UserError:
                refused += 1
                continue
            if (took := spent() - before) >= 0:
                ours.append(took * 1000)
                theirs.append(alone(path) * 1000)
                sizes.append(path.stat().st_size)
    await reading.close()
    ours, theirs, sizes = ours[1:], theirs[1:], sizes[1:]
    kilobytes = f"{min(sizes) // 1000} to {max(sizes) // 1000} kB"
    print(f"{len(ours)} pages of {kilobytes}, {refused} refused; others used {others.cores():.1f} cores\n")
    rows = [
        (name, *(shown(quantile(each, share)) for share in (0.5, 0.95)))
        for name, each in (("Éclair", ours), ("trafilatura", theirs))
    ]
    table(("CPU ms a page", "p50", "p95"), rows)
    goals.at_most("CPU a page of our own pipe, median", median(ours), 60, " ms")
    print(f"To trafilatura alone: {sum(ours) / sum(theirs):.2f}")
    goals.print()


if __name__ == "__main__":
    run(main())

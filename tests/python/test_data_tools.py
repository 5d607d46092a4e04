"""Code with the data tools, as it is run through the API."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import zipfile
from io import BytesIO

import psutil
import pytest

from tests.python.test_printed_output import flood_within_bounds, tell_while_it_runs
from tests.python.test_python_service import attach, read, run
from tests.support import Server, live_children

pytestmark = pytest.mark.asyncio(loop_scope="module")

SALES = "region,revenue\nNord,120\nSüd,80\nWest,45\nOst,99\n".encode()
CHART = """
import pandas as pd
import matplotlib.pyplot as plt
sales = pd.read_csv("sales.csv")
plt.bar(sales.region, sales.revenue)
plt.title("Umsatz je Region")
plt.ylabel("Umsatz")
plt.show()
"""


async def test_a_table_becomes_a_chart(wasi: Server) -> None:
    id = await wasi.begin()
    await attach(wasi, id, "sales.csv", SALES)
    found = await run(wasi, id, CHART)
    assert (found["interpreter"], found["error"]) == ("wasi", None)
    png, svg = found["files"]
    assert (png["name"], png["media"]) == ("chart.png", "image/png")
    assert (svg["name"], svg["media"]) == ("chart.svg", "image/svg+xml")
    assert png["alt"] == "Umsatz je Region. Umsatz"
    data = await read(wasi, png)
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert 500 < width < 2000
    assert 300 < height < 2000
    assert b"<svg" in await read(wasi, svg)
    again = await run(wasi, id, "plt.plot([1, 2, 3])\nsales.revenue.sum()")
    assert "344" in again["output"]
    assert [file["name"] for file in again["files"]] == ["chart-2.png", "chart-2.svg"], "it is shown as in a notebook"
    saved = await run(wasi, id, "plt.pie([1, 2])\nplt.savefig('pie.png')\nplt.show()")
    assert [file["name"] for file in saved["files"]] == ["pie.png"], "it is not saved twice"


async def test_workbooks_are_written_and_read(wasi: Server) -> None:
    id = await wasi.begin()
    await attach(wasi, id, "sales.csv", SALES)
    found = await run(wasi, id, "import pandas as pd\npd.read_csv('sales.csv').to_excel('sales.xlsx', index=False)")
    assert found["error"] is None
    (made,) = found["files"]
    with zipfile.ZipFile(BytesIO(await read(wasi, made))) as archive:
        assert "xl/workbook.xml" in archive.namelist()
    assert "120" in (await run(wasi, id, "pd.read_excel('sales.xlsx')"))["output"]


async def test_an_error_has_its_line(wasi: Server) -> None:
    found = await run(wasi, await wasi.begin(), "x = 1\ny = 0\nx / y")
    assert found["line"] == 3
    assert found["error"].splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert 'File "<code>", line 3' in found["error"]


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd').read()",
        "open('/work/../etc/passwd').read()",
        "open('/proc/self/environ').read()",
        "import os\nos.symlink('/etc/passwd', 'x')\nopen('x').read()",
        "open('/usr/local/lib/x', 'w').write('x')",
        "import socket\nsocket.create_connection(('127.0.0.1', 80))",
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1')",
        "import subprocess\nsubprocess.run(['ls'])",
        "import os\nos.system('ls')\nos.fork()",
        "import os\nos.kill(1, 9)",
        "import threading\nthreading.Thread(target=print).start()",
        "import ctypes\nctypes.CDLL(None).system(b'ls')",
    ],
)
async def test_nothing_outside_is_reached(wasi: Server, code: str) -> None:
    found = await run(wasi, await wasi.begin(), code)
    assert found["error"], found["output"]
    assert "Error" in found["error"].splitlines()[-1], "the code was refused, and not its interpreter"
    assert found["files"] == []


async def test_memory_output_and_files_are_bounded(wasi: Server) -> None:
    id = await wasi.begin()
    assert "MemoryError" in (await run(wasi, id, "x = bytearray(10**9)"))["error"]
    flood = await run(wasi, id, "for _ in range(100): print('x' * 100000)")
    assert len(flood["output"]) < 70_000
    code = "with open('big.bin', 'wb') as file:\n    for _ in range(300): file.write(b'x' * 1000000)"
    assert "(code may write 100 files of 32 MB each" in (await run(wasi, id, code))["error"]
    bomb = "import zipfile\nwith zipfile.ZipFile('bomb.zip', 'w', zipfile.ZIP_DEFLATED) as file:\n"
    bomb += "    file.writestr('zeros', bytes(200_000_000))"
    (made,) = [file for file in (await run(wasi, id, bomb))["files"] if file["name"] == "bomb.zip"]
    assert made["size"] < 1 << 20, "it is kept as it is, and nobody unpacks it"


async def test_an_endless_loop_is_stopped_and_the_loss_is_said(wasi: Server) -> None:
    id = await wasi.begin()
    await run(wasi, id, "x = 41\nopen('kept.txt', 'w').write('here')")
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(run(wasi, id, "while True: pass"))
        worker = await busy_worker()
        os.kill(worker.pid, signal.SIGXCPU)  # the end of its processor time
        found = await task
    assert "TimeoutError" in found["error"]
    again = await run(wasi, id, "open('kept.txt').read()")
    assert (again["output"], again["lost"]) == ("'here'\n", True)
    assert "NameError" in (await run(wasi, id, "x"))["error"]


async def busy_worker() -> psutil.Process:
    """The process that runs WebAssembly, once it computes."""
    async with asyncio.timeout(60):
        while True:
            for each in live_children(recursive=True):
                if "wasi_worker" in " ".join(each.cmdline()) and each.cpu_percent(0.2) > 5:
                    return each
            await asyncio.sleep(0)


async def test_what_code_prints_is_told_while_it_runs(wasi: Server) -> None:
    await tell_while_it_runs(wasi)


async def test_a_flood_is_told_within_bounds(wasi: Server) -> None:
    await flood_within_bounds(wasi)

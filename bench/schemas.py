"""Send requests that are generated from the OpenAPI document, right and wrong ones, and hold the replies to it.

Prints the replies by status, and each kind of fault once, with the command that shows it. Nothing calls out: model
servers, feeds, downloads and the web are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.generated_requests import try_operations
from tests.support import environment, served


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--examples", type=int, default=70, help="right and wrong requests of each operation (70)")
    options.add_argument("--seconds", type=float, default=3600, help="the longest time for all of them (3600)")
    options.add_argument("--seed", type=int, default=1, help="another one tries other requests (1)")
    options.add_argument("--quick", action="store_true", help="two requests of each kind")
    given = options.parse_args()
    examples = 2 if given.quick else given.examples
    with tempfile.TemporaryDirectory() as folder:
        address, process = served(Path(folder), {**os.environ, **environment(Path(folder))})
        try:
            with urllib.request.urlopen(f"{address}/openapi.json") as reply:
                document = json.load(reply)
            trial = try_operations(document, address, examples, given.seed, given.seconds)
        finally:
            process.terminate()
            process.join()
    print(f"{trial.counts.total():,} requests of {trial.operations} operations")
    for status, count in sorted(trial.counts.items()):
        print(f"{status}  {count:6,}")
    print("\n\n".join(trial.faults.values()) or "no fault")
    return 1 if trial.faults else 0


if __name__ == "__main__":
    sys.exit(main())

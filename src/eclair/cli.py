"""The command line: arguments become settings and a call."""

from __future__ import annotations

import asyncio
import os
import sys

from eclair.errors import EclairError
from eclair.settings import load


def main() -> None:
    from eclair.server.serve import serve

    try:
        settings = load(os.environ).settings
        asyncio.run(serve(settings, lambda address: print(address, flush=True)))
    except EclairError as error:
        print(error.message, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

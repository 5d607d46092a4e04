"""`python -m eclair.cli` is `eclair`."""

import sys

from eclair.cli import main

sys.exit(main())

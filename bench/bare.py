"""llama.cpp's server as it comes, for `words.py`: one line of JSON (`Bare`) names a model and what is set besides."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Bare:
    """`threads` for writing, 0 as llama.cpp chooses; `lookup` and `draft` of `ngram_simple`, 0 for no drafts."""

    model: str
    threads: int = 0
    lookup: int = 0
    draft: int = 0


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    bare = Bare(**json.loads(sys.argv[1]))
    xllamacpp: Any = importlib.import_module("xllamacpp")
    wanted = xllamacpp.CommonParams()
    wanted.model.path = bare.model
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = 0
    wanted.ui = False
    wanted.verbosity = 1
    if bare.threads:
        wanted.cpuparams.n_threads = bare.threads
        wanted.cpuparams_batch.n_threads = os.cpu_count()
    if bare.draft:
        kinds = xllamacpp.common_speculative_type
        wanted.speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
        wanted.speculative.ngram_simple.size_n = bare.lookup
        wanted.speculative.ngram_simple.size_m = bare.draft
    server = xllamacpp.Server(wanted)
    print(server.listening_address, file=out, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()

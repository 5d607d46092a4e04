"""Models are asked in one place, so that no call goes round budgets and limits."""

from __future__ import annotations

import ast
from pathlib import Path

import eclair

PACKAGE = Path(eclair.__file__).parent
CALLS = frozenset({"stream", "embed", "rerank", "transcribe", "speak"})
ALLOWED = {
    "generation/usage.py": "the one place",
    "generation/pipeline.py": "without a ledger, as in tests and commands without a database",
    "documents/embedding_service.py": "within `UsageLedger.reading`",
    "documents/rerank_service.py": "within `UsageLedger.reading`",
    "documents/embeddings.py": "the embedder of documents, which serves everyone",
    "documents/reranker.py": "the reranker of documents, which serves everyone",
    "speech/engine_recognition.py": "within `UsageLedger.reading`, or for recordings that are documents",
    "speech/speech_request.py": "within `UsageLedger.reading`",
    "capacity/measurement.py": "`eclair plan --measure`, of which nobody asked for an answer",
    "llm/servers/endpoint_pool.py": "hands a call on to one of an engine's addresses",
    "llm/call_probe.py": "the test of how a model calls tools, of which nobody asked for an answer",
    "llm/servers/engine_probe.py": "the test of a server that is being added",
}


def test_engines_are_called_there_alone() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CALLS
        and ast.unparse(node.func.value).endswith("engine")
    }
    assert found == set(ALLOWED)

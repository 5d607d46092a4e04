"""Loads the texts of compliance reports: English and German in full, labels and literacy in every language."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import orjson

FULL_LANGUAGES = ("en", "de")
"""Languages in which every text is there."""


class ReportTexts:
    """Texts in one language, in English where it has none."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.legal_language = language if language in FULL_LANGUAGES else "en"
        self._own = load_texts(language)
        self._english = load_texts("en")

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of that key, with the values in place of `{names}`."""
        text = self._own.get(key) or self._english[key]
        return text.format(**values) if values else text

    def label(self, name: str) -> str:
        """Return a label of reports."""
        return self(f"label_{name}")


@cache
def load_texts(language: str) -> Mapping[str, str]:
    """Load the texts of a language; none for one that isn't known."""
    path = resources.files("eclair.compliance.texts") / f"{language}.json"
    return orjson.loads(path.read_bytes()) if path.is_file() else {}


def ai_notices() -> dict[str, str]:
    """Return the sentence that tells people that they talk to an AI (AI Act, Art. 50 (1)), by language."""
    files = resources.files("eclair.compliance.texts").iterdir()
    languages = sorted(file.name.removesuffix(".json") for file in files if file.name.endswith(".json"))
    return {language: load_texts(language)["ai_notice"] for language in languages}

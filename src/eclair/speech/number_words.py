"""Numbers in words, in the languages whose voices read no figures: English, French, Spanish, Italian, Portuguese."""

from __future__ import annotations

from collections.abc import Callable

MAX_NUMBER = 10**12
"""Larger ones are read figure by figure."""

_EN = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_EN_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_FR = (
    *("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"),
    *("treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf"),
)
_FR_TENS = ("", "", "vingt", "trente", "quarante", "cinquante", "soixante", "soixante", "quatre-vingt", "quatre-vingt")
_ES = (
    *("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce"),
    *("trece", "catorce", "quince", "dieciséis", "diecisiete", "dieciocho", "diecinueve", "veinte", "veintiuno"),
    *("veintidós", "veintitrés", "veinticuatro", "veinticinco", "veintiséis", "veintisiete", "veintiocho"),
    "veintinueve",
)
_ES_TENS = ("", "", "", "treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa")
_ES_HUNDREDS = (
    *("", "ciento", "doscientos", "trescientos", "cuatrocientos", "quinientos", "seiscientos", "setecientos"),
    *("ochocientos", "novecientos"),
)
_IT = (
    *("zero", "uno", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove", "dieci", "undici", "dodici"),
    *("tredici", "quattordici", "quindici", "sedici", "diciassette", "diciotto", "diciannove"),
)
_IT_TENS = ("", "", "venti", "trenta", "quaranta", "cinquanta", "sessanta", "settanta", "ottanta", "novanta")
_PT = (
    *("zero", "um", "dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove", "dez", "onze", "doze"),
    *("treze", "catorze", "quinze", "dezasseis", "dezassete", "dezoito", "dezanove"),
)
_PT_TENS = ("", "", "vinte", "trinta", "quarenta", "cinquenta", "sessenta", "setenta", "oitenta", "noventa")
_PT_HUNDREDS = (
    *("", "cento", "duzentos", "trezentos", "quatrocentos", "quinhentos", "seiscentos", "setecentos"),
    *("oitocentos", "novecentos"),
)

_SCALES = {
    "en": (("thousand", "thousand"), ("million", "million"), ("billion", "billion")),
    "fr": (("mille", "mille"), ("million", "millions"), ("milliard", "milliards")),
    "es": (("mil", "mil"), ("millón", "millones"), ("mil millones", "mil millones")),
    "it": (("mille", "mila"), ("milione", "milioni"), ("miliardo", "miliardi")),
    "pt": (("mil", "mil"), ("milhão", "milhões"), ("mil milhões", "mil milhões")),
}
"""Singular and plural of a thousand, a million and a thousand million."""


def _english(n: int) -> str:
    if n < 20:
        return _EN[n]
    if n < 100:
        return _EN_TENS[n // 10] + (f"-{_EN[n % 10]}" if n % 10 else "")
    return f"{_EN[n // 100]} hundred" + (f" and {_english(n % 100)}" if n % 100 else "")


def _french(n: int) -> str:
    if n < 20:
        return _FR[n]
    if n < 100:
        tens, rest = n // 10, n % 10
        if tens in (7, 9):
            rest += 10
        if rest in (1, 11) and tens < 8:
            return f"{_FR_TENS[tens]} et {_FR[rest]}"
        return _FR_TENS[tens] + (f"-{_FR[rest]}" if rest else "s" if n == 80 else "")
    head = "cent" if n < 200 else f"{_FR[n // 100]} cent"
    return head + (f" {_french(n % 100)}" if n % 100 else "s" if n >= 200 else "")


def _spanish(n: int) -> str:
    if n < 30:
        return _ES[n]
    if n < 100:
        return _ES_TENS[n // 10] + (f" y {_ES[n % 10]}" if n % 10 else "")
    if n == 100:
        return "cien"
    return _ES_HUNDREDS[n // 100] + (f" {_spanish(n % 100)}" if n % 100 else "")


def _italian(n: int) -> str:
    if n < 20:
        return _IT[n]
    if n < 100:
        tens, rest = _IT_TENS[n // 10], n % 10
        return (tens[:-1] if rest in (1, 8) else tens) + ("tré" if rest == 3 else _IT[rest] if rest else "")
    head = "cento" if n < 200 else f"{_IT[n // 100]}cento"
    return head + (_italian(n % 100) if n % 100 else "")


def _portuguese(n: int) -> str:
    if n < 20:
        return _PT[n]
    if n < 100:
        return _PT_TENS[n // 10] + (f" e {_PT[n % 10]}" if n % 10 else "")
    if n == 100:
        return "cem"
    return _PT_HUNDREDS[n // 100] + (f" e {_portuguese(n % 100)}" if n % 100 else "")


_BELOW_THOUSAND: dict[str, Callable[[int], str]] = {
    "en": _english,
    "fr": _french,
    "es": _spanish,
    "it": _italian,
    "pt": _portuguese,
}

NUMBER_LANGUAGES = frozenset(_BELOW_THOUSAND)


def number_words(number: int, language: str) -> str:
    """Return a number from 0 on in words of one of `NUMBER_LANGUAGES`."""
    small = _BELOW_THOUSAND[language]
    if number >= MAX_NUMBER:
        return digit_words(str(number), language)
    if number < 1000:
        return small(number)
    words: list[str] = []
    for power in (3, 2, 1):
        count, number = divmod(number, 1000**power)
        if count:
            words.append(_scaled(count, power, language, small))
    if number:
        joined = language == "pt" and (number < 100 or number % 100 == 0)
        words.append(f"e {small(number)}" if joined else small(number))
    return "".join(words) if language == "it" and words[0].endswith(("mila", "mille")) else " ".join(words)


def _scaled(count: int, power: int, language: str, small: Callable[[int], str]) -> str:
    one, many = _SCALES[language][power - 1]
    if count == 1:
        bare = (power == 1 and language != "en") or (power == 3 and language in ("es", "pt"))
        one_word = {"en": "one", "fr": "un", "es": "un", "it": "un", "pt": "um"}[language]
        return one if bare else f"{one_word} {one}"
    said = small(count)
    if language == "es":
        said = said.removesuffix("uno") + "ún" if said.endswith("veintiuno") else _apocope(said)
    return f"{said}{many}" if language == "it" and power == 1 else f"{said} {many}"


def _apocope(said: str) -> str:
    return said[:-1] if said.endswith(" uno") else said


def digit_words(digits: str, language: str) -> str:
    """Return figures one by one in words."""
    return " ".join(_BELOW_THOUSAND[language](int(digit)) for digit in digits)


def year_words(year: int, language: str) -> str:
    """Return a year in words: English reads it in pairs, the others as a number."""
    pairs = language == "en" and (1100 <= year < 2000 or 2010 <= year < 2100)
    if not pairs:
        return number_words(year, language)
    head, tail = divmod(year, 100)
    if tail == 0:
        return f"{_english(head)} hundred"
    return f"{_english(head)} {'oh ' if tail < 10 else ''}{_english(tail)}"

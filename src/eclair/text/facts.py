"""What of a sentence can be compared to the letter: its words, numbers, dates, names and negations.

The same fact is the same value however it is written and in whatever language: `12,5 %` and `12.5 percent`, `3. Mai
2024` and `2024-05-03`. What follows from a difference is for others to say.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from eclair.text.sentences import listed


@dataclass(frozen=True, slots=True)
class Term:
    """A word. `stem` is what its inflections share, `key` its letters without case and accents; `first` where a
    sentence begins."""

    text: str
    key: str
    stem: str
    start: int
    end: int
    first: bool

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()


@dataclass(frozen=True, slots=True)
class Number:
    """A number that may mean any of `values`, since `1.000` is one thousand or one."""

    text: str
    values: frozenset[float]
    unit: str | None
    start: int
    end: int
    spelled: bool = False

    def same(self, other: Number) -> bool:
        return not self.values.isdisjoint(other.values) and (
            self.unit is None or other.unit is None or self.unit == other.unit
        )


@dataclass(frozen=True, slots=True)
class Date:
    """A day, a month of a year, or a day of a month: what is not said is None. `readings` are its (year, month, day),
    two where the order cannot be told."""

    text: str
    readings: tuple[tuple[int | None, int | None, int | None], ...]
    start: int
    end: int

    def same(self, other: Date) -> bool:
        """Nothing that both say differs, and they have something in common."""
        return any(
            all(left is None or right is None or left == right for left, right in zip(mine, theirs, strict=True))
            and any(left is not None and left == right for left, right in zip(mine, theirs, strict=True))
            for mine in self.readings
            for theirs in other.readings
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What a stretch of text says. `cues` are the places in `terms` of the words that negate."""

    terms: tuple[Term, ...]
    numbers: tuple[Number, ...]
    dates: tuple[Date, ...]
    cues: tuple[int, ...]


def read(text: str, language: str | None = None) -> Facts:
    """What `text` says. With its language, only that language's negations count."""
    dates = _dates(text)
    terms = _terms(text)
    return Facts(terms, _numbers(text, dates), dates, _cues(text, terms, language))


# Words

_WORD = re.compile(r"[^\W\d_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_ENDINGS = re.compile(r"(?:ungen|ung|ingly|ing|ern|ers|ies|ied|ed|es|en|er|em|ul|ii|as|os|e|s|n|a|o|i|y)\Z")
_OPENS = re.compile(r"(?:\A|[.!?:…])[\W_]*\Z")

STOPS = listed(
    """a an the of to in on at by for from with and or as is are was were be been being has have had it its this that
    which who whom whose he she they them his her their there than then also into over such these those but so if
    do does did
    der die das den dem des ein eine einen einem einer eines und oder in im an am auf aus bei mit nach von vom zu zum
    zur für als wie ist sind war waren wurde wurden wird werden worden hat haben hatte hatten sein seine seinen seiner
    seinem ihr ihre ihren ihrer ihrem er sie es sich dass auch noch durch über unter dies diese dieser dieses
    le la les un une des du de d l et ou en dans sur par pour avec que qui est sont était ont il elle ce cette ses son
    el los las unos unas del al y o con para por se su sus es son fue fueron era ha han lo como más
    un o pe la cu din de în și sau a al ale ai lui este sunt era au fost care ca prin pentru se să mai ce cea cel
    il lo gli i della delle dei che è sono una nel per da di
    het een van dat die zijn werd ook op te met voor"""
)
"""Words that say little by themselves."""


def fold(text: str) -> str:
    """Letters without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


@lru_cache(maxsize=50_000)
def _keys(word: str) -> tuple[str, str]:
    key = fold(word)
    stem = key
    if len(key) > 4:
        stem = _ENDINGS.sub("", key) if len(_ENDINGS.sub("", key)) >= 4 else key[:4]
        stem = stem[:7]
    return key, stem


def _terms(text: str) -> tuple[Term, ...]:
    found: list[Term] = []
    for match in _WORD.finditer(text):
        word, start = match[0], match.start()
        if _CJK.search(word):
            pairs = [word[at : at + 2] for at in range(max(1, len(word) - 1))]
            found += [
                Term(pair, pair, pair, start + at, start + at + len(pair), False) for at, pair in enumerate(pairs)
            ]
            continue
        key, stem = _keys(word)
        found.append(
            Term(word, key, stem, start, match.end(), _OPENS.search(text, max(0, start - 6), start) is not None)
        )
    return tuple(found)


def stems(text: str) -> list[str]:
    """What the words that say something have in common with their inflections, in order, and the figures."""
    figures = [match["digits"] for match in _FIGURE.finditer(text)]
    return [term.stem for term in _terms(text) if tells(term)] + figures


def tells(term: Term) -> bool:
    """Whether the word says something by itself."""
    return (len(term.key) > 1 or term.capital) and term.key not in _stops()


@cache
def _stops() -> frozenset[str]:
    return frozenset(fold(word) for word in STOPS | _ANY_CUES)


# Numbers

_FIGURE = re.compile(
    r"(?<![\w.,])(?P<sign>[−-](?=\d))?(?P<money>[€$£]\s?)?"
    r"(?P<digits>\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+(?:[.,]\d+)?(?![\d\w])|\d+(?:[.,]\d+)*)"
    r"(?P<ending>(?:st|nd|rd|th|er|ers|e|ème|s|º|ª)\b)?"
)
_SCALES: dict[str, frozenset[float]] = {
    word: frozenset(factors)
    for words, factors in (
        ("hundred hundert", (1e2,)),
        ("thousand thousands tausend tsd mille mil mii duizend tys", (1e3,)),
        (
            "million millions millionen mio millón millones milione milioni milioane milhão milhões miljoen milionów",
            (1e6,),
        ),
        ("milliard milliards milliarde milliarden mrd miliard miliarde miliardi miljard mld", (1e9,)),
        ("billion billions bn", (1e9, 1e12)),
        ("billionen billón billones bilioane", (1e12,)),
        ("trillion trillions", (1e12, 1e18)),
    )
    for word in words.split()
    for factors in [factors]
}
_UNITS: dict[str, str] = {
    word: name
    for name, words in {
        "%": "% percent prozent pourcent por\u00a0ciento procent procente procento percento pct",
        "€": "€ euro euros eur",
        "$": "$ dollar dollars usd dollari dólares dolari",
        "£": "£ pfund pounds gbp livres libras lire",
        "km": "km kilometer kilometers kilometres kilometre kilometern kilomètres kilómetros kilometri chilometri",
        "m": "m meter meters metres metre metern mètres metros metri",
        "cm": "cm centimeter centimetres centimeters zentimeter centimètres centímetros centimetri",
        "mm": "mm millimeter millimetres millimeters millimètres milímetros milimetri",
        "mi": "mi mile miles meilen meile milles millas mile",
        "ft": "ft feet foot fuß pieds pies picioare",
        "kg": "kg kilogram kilograms kilogramm kilogrammes kilogramos kilograme kilo kilos",
        "g": "g gram grams gramm grammes gramos grame",
        "mg": "mg milligram milligrams milligramm",
        "t": "tonnes tons tonnen tonne toneladas tone",
        "l": "litres liters liter litre litros litri",
        "h": "h hour hours stunden stunde heures heure horas hora ore oră uur",
        "min": "min minute minutes minuten minutos minuti",
        "s": "second seconds sekunden sekunde secondes seconde segundos secunde",
        "d": "day days tage tagen tag jours jour días día zile giorni dagen",
        "wk": "week weeks wochen woche semaines semaine semanas săptămâni settimane weken",
        "mo": "month months monate monaten monat mois meses mes luni mesi maanden",
        "yr": "year years jahre jahren jahr ans années années años año ani anni jaar",
        "°C": "°c celsius",
        "°F": "°f fahrenheit",
    }.items()
    for word in words.split(" ")
}
_AFTER = re.compile(
    r"[ \u00a0\u202f-]{0,2}(?:(?:de|di|of) )?(%|°[CF]|[€$£]|[^\W\d_]+)(?:[ \u00a0](cento|ciento|cent|sută))?"
)

_SPELLED: dict[str, int] = {
    word: value
    for value, words in {
        1: "one eins",
        2: "two zwei deux dos due doi două twee",
        3: "three drei trois tres tre trei drie",
        4: "four vier quatre cuatro quattro patru",
        5: "five fünf cinq cinco cinque cinci vijf",
        6: "six sechs seis șase sei zes",
        7: "seven sieben sept siete sette șapte zeven",
        8: "eight acht huit ocho otto opt",
        9: "nine neun neuf nueve nove nouă negen",
        10: "ten zehn dix diez dieci zece tien",
        11: "eleven elf onze once undici unsprezece",
        12: "twelve zwölf douze doce dodici doisprezece twaalf",
        20: "twenty zwanzig vingt veinte douăzeci twintig",
        30: "thirty dreißig trente treinta treizeci dertig",
        40: "forty vierzig quarante cuarenta patruzeci veertig",
        50: "fifty fünfzig cinquante cincuenta cincizeci vijftig",
        60: "sixty sechzig soixante sesenta șaizeci zestig",
        80: "eighty achtzig ochenta optzeci",
        90: "ninety neunzig noventa nouăzeci",
        100: "hundred hundert cent cien sută honderd",
        1000: "thousand tausend",
    }.items()
    for word in words.split()
}
_UNSURE_SPELLED = listed("sept once opt sei due elf tre cent onze dos neuf")
"""Spelled numbers that are another word in another language: they bear a claim out and make none."""

_ROMAN = re.compile(r"\b(?=[IVXL]{2,6}\b)(XL|L?X{0,3})(IX|IV|V?I{0,3})\b")
_MARKS = re.compile(r"[\[【]\^?\d{1,3}(?:[,;–-] ?\d{1,3})*[\]】]")


def _numbers(text: str, dates: tuple[Date, ...]) -> tuple[Number, ...]:
    taken = bytearray(len(text))
    for start, end in [*((date.start, date.end) for date in dates), *(match.span() for match in _MARKS.finditer(text))]:
        taken[start:end] = b"1" * (end - start)
    found: list[Number] = []
    for match in _FIGURE.finditer(text):
        if taken[match.start()]:
            continue
        values = _values(match["digits"])
        if match["sign"] and (match.start() == 0 or text[match.start() - 1] in " (\u00a0"):
            values = frozenset(-value for value in values)
        if match["ending"] in ("s", "er", "ers") and len(match["digits"]) == 2:
            values |= {value + century for value in values for century in (1800, 1900, 2000)}
        unit = _UNITS.get(match["money"].strip()) if match["money"] else None
        end = match.end()
        after = None if match["ending"] else _AFTER.match(text, end)
        if after and (factors := _SCALES.get(after[1].casefold())):
            values = frozenset(value * factor for value in values for factor in factors)
            end = after.end(1)
            after = _AFTER.match(text, end)
        if after and (unit is None) and (known := _unit(after)):
            unit, end = known, after.end()
        found.append(Number(text[match.start() : end], values, unit, match.start(), end))
        taken[match.start() : end] = b"1" * (end - match.start())
    for match in _WORD.finditer(text):
        value = _SPELLED.get(match[0].casefold())
        if value is not None and not taken[match.start()]:
            after = _AFTER.match(text, match.end())
            factors = _SCALES.get(after[1].casefold()) if after else None
            end = after.end(1) if after and factors else match.end()
            values = frozenset(value * factor for factor in factors or (1.0,))
            found.append(Number(text[match.start() : end], values, None, match.start(), end, spelled=True))
            taken[match.start() : end] = b"1" * (end - match.start())
    return tuple(found)


def sure(number: Number) -> bool:
    """Whether the sentence claims this number, rather than having a word that could be one."""
    return not number.spelled or (number.text.casefold() not in _UNSURE_SPELLED and 1.0 not in number.values)


def roman(text: str) -> tuple[Number, ...]:
    """The Roman numbers from II to LXXXIX: they bear a claim out, for `XIX` is a name as well."""
    found: list[Number] = []
    for match in _ROMAN.finditer(text):
        if not match[0]:
            continue
        signs = [{"I": 1, "V": 5, "X": 10, "L": 50}[sign] for sign in match[0]]
        value = sum(-sign if sign < after else sign for sign, after in zip(signs, [*signs[1:], 0], strict=True))
        found.append(Number(match[0], frozenset((float(value),)), None, match.start(), match.end()))
    return tuple(found)


def _unit(after: re.Match[str]) -> str | None:
    word = after[1].casefold()
    if after[2] and word in ("per", "por", "pour", "la", "per"):
        return "%"
    return _UNITS.get(after[1]) or _UNITS.get(word)


@lru_cache(maxsize=10_000)
def _values(digits: str) -> frozenset[float]:
    """What the digits may mean, with points and commas read in every way that makes a number."""
    plain = re.sub(r"[ \u00a0\u202f'’]", "", digits)
    parts = re.split(r"([.,])", plain)
    marks = parts[1::2]
    groups = parts[0::2]
    thousands = len(groups) > 1 and 1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
    found: set[float] = set()
    if not marks:
        found.add(float(plain[:300]))
    elif len(set(marks)) == 1 and len(marks) > 1:
        found.add(float("".join(groups)[:300]))
    elif len(marks) == 1:
        found.add(float(f"{groups[0][:300]}.{groups[1]}"))
        if thousands and groups[0] != "0":
            found.add(float("".join(groups)))
    else:
        found.add(float(f"{''.join(groups[:-1])[:300]}.{groups[-1]}"))
    return frozenset(found)


# Dates

_MONTHS: dict[str, int] = {
    fold(word): month
    for month, words in enumerate(
        (
            "january januar jänner janvier enero gennaio ianuarie janeiro januari jan",
            "february februar février febrero febbraio februarie fevereiro februari feb",
            "march märz mars marzo martie março maart mar mär",
            "april avril abril aprile aprilie apr",
            "may mai mayo maggio maio mei",
            "june juni juin junio giugno iunie junho jun",
            "july juli juillet julio luglio iulie julho jul",
            "august août agosto augustus aug",
            "september septembre septiembre settembre septembrie setembro sep sept",
            "october oktober octobre octubre ottobre octombrie outubro oct okt",
            "november novembre noviembre noiembrie novembro nov",
            "december dezember décembre diciembre dicembre decembrie dezembro dec dez",
        ),
        1,
    )
    for word in words.split()
}
_MONTH = r"(?P<month>[^\W\d_]{3,10})\.?"
_DAY_FIRST = re.compile(
    rf"(?<![\w.,])(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|º)?\.?[ \u00a0](?:of |de |d')?{_MONTH}"
    r"(?:,?[ \u00a0](?:de |del )?(?P<year>\d{4})\b)?"
)
_MONTH_FIRST = re.compile(
    rf"\b{_MONTH}[ \u00a0](?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?[ \u00a0](?P<year>\d{{4}})\b)?"
    r"|(?:de |del )?(?P<only>\d{4})\b)"
)
_ISO = re.compile(r"(?<!\d)(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?!\d)")
_POINTED = re.compile(
    r"(?<![\d.])(?P<day>\d{1,2})(?P<mark>[./])[ ]?(?P<month>\d{1,2})(?P=mark)[ ]?(?P<year>\d{4})(?!\d)"
)


def _dates(text: str) -> tuple[Date, ...]:
    found: list[Date] = []
    taken = bytearray(len(text))

    def give(match: re.Match[str], *readings: tuple[int | None, int | None, int | None]) -> None:
        if not any(taken[match.start() : match.end()]):
            found.append(Date(match[0].rstrip(". "), readings, match.start(), match.end()))
            taken[match.start() : match.end()] = b"1" * (match.end() - match.start())

    for match in _ISO.finditer(text):
        if int(match["month"]) <= 12 and int(match["day"]) <= 31:
            give(match, (int(match["year"]), int(match["month"]), int(match["day"])))
    for match in _POINTED.finditer(text):
        year, left, right = int(match["year"]), int(match["day"]), int(match["month"])
        readings = [(year, right, left)] if right <= 12 and left <= 31 else []
        if match["mark"] == "/" and left <= 12 and right <= 31 and left != right:
            readings.append((year, left, right))
        if readings:
            give(match, *readings)
    for match in _DAY_FIRST.finditer(text):
        month = _MONTHS.get(fold(match["month"]))
        if month and 1 <= int(match["day"]) <= 31:
            give(match, (int(match["year"]) if match["year"] else None, month, int(match["day"])))
    for match in _MONTH_FIRST.finditer(text):
        month = _MONTHS.get(fold(match["month"]))
        if month:
            year = match["year"] or match["only"]
            give(match, (int(year) if year else None, month, int(match["day"]) if match["day"] else None))
    return tuple(sorted(found, key=lambda date: date.start))


# Negation

_CUES: dict[str, frozenset[str]] = {
    language: listed(words)
    for language, words in {
        "en": "not no never neither nor none nobody nothing nowhere without cannot n't",
        "de": "nicht nichts nie niemals kein keine keinen keinem keiner keines niemand niemanden nirgends weder ohne "
        "keineswegs keinerlei",
        "fr": "pas jamais aucun aucune ni sans rien nullement",
        "es": "no nunca jamás ningún ninguno ninguna nadie nada sin tampoco ni",
        "it": "non mai nessun nessuno nessuna niente nulla senza né neppure",
        "pt": "não nunca nenhum nenhuma ninguém nada sem nem jamais",
        "ro": "nu niciodată niciun nicio nimeni nimic fără nici",
        "nl": "niet nooit geen niemand niets zonder noch",
        "pl": "nie nigdy żaden żadna bez nikt nic ani",
    }.items()
}
_ANY_CUES = frozenset[str]().union(*_CUES.values()) - listed("mai non ni nada nu sin sem bez noch nic ani nie nem né")
_ONLY = listed("only nur merely just bloß solo sólo solamente seulement doar numai soltanto alleen tylko unicamente")
"""`Not only` denies nothing."""


def _cues(text: str, terms: tuple[Term, ...], language: str | None) -> tuple[int, ...]:
    cues = _CUES.get(language or "", _ANY_CUES)
    found: list[int] = []
    for place, term in enumerate(terms):
        word = term.text.casefold()
        contracted = (
            word == "t" and text[term.start - 1 : term.start] in ("'", "’") and terms[place - 1].key.endswith("n")
        )
        if word not in cues and not (contracted and "n't" in cues):
            continue
        after = terms[place + 1].text.casefold() if place + 1 < len(terms) else ""
        if after in _ONLY or re.match(r"\.?[ \u00a0]?\d", text[term.end : term.end + 3]):
            continue
        found.append(place)
    return tuple(found)


def scope(facts: Facts, cue: int, reach: int) -> set[str]:
    """The stems of what a negation may deny: the telling words up to `reach` places on either side of it."""
    near = facts.terms[max(0, cue - reach) : cue + reach + 1]
    return {term.stem for term in near if tells(term)}

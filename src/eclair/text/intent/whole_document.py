"""Tells a question on the whole of documents from one on a place in them: to sum up, to compare, to list all.

A rule for English, German, French, Spanish, Italian, Dutch, Polish and Portuguese. It reads letters without case and
accents. Where it is wrong a question is answered from the passages that fit it, or the other way round.
"""

from __future__ import annotations

import re
from functools import cache

from eclair.text.facts import fold, read

LOOKED_AT = 2000
"""Characters of a question that are looked at: whoever pastes more asks about that."""

_NOUNS = (
    r"(?:summary|overview|outline|synopsis|abstract|comparison|zusammenfassung|uberblick|ubersicht|inhaltsangabe|"
    r"vergleich|gegenuberstellung|resume|apercu|synthese|comparaison|vue d.ensemble|resumen|sintesis|comparacion|"
    r"comparativa|vision general|riassunto|riepilogo|sintesi|confronto|panoramica|samenvatting|overzicht"
    r"|vergelijking|"
    r"resumo|sintese|comparacao|visao geral|streszczenie|podsumowanie|porownanie|przeglad)\b"
    r"(?! (?:judg|table|page|section|statistic|offen|dismissal|execution|procedure))"
)
_THESE = (
    r"(?:the two|both|these|those|them|all|the (?:\w+ )?(?:documents?|files?|texts?|reports?|contracts?|versions?|"
    r"offers?)|den (?:beiden|zwei)|beiden|diesen|ihnen|allen|ces|les deux|eux|estos|estas|los dos|las dos"
    r"|ambos|ambas|"
    r"questi|queste|i due|le due|entrambi|entrambe|deze|die|de twee|beide|os dois|as duas|estes|estas|"
    r"tymi|obydwoma|obiema|dwoma)\b"
)
_RULES = (
    # A noun of summing up: as what is asked for, or with an article that says there is none yet.
    rf"^\W*(?:(?:short|brief|kurze?|breve|court|krotkie|please|bitte) )?{_NOUNS}",
    rf"\b(?:an?|eine?n?|une?|uma?|een|uno|una|kurzen?|short|brief|breve|krotkie|zrob|napisz|przygotuj)"
    rf" (?:[\w-]+ ){{0,3}}?{_NOUNS}",
    # To sum up
    r"\bsummari[sz](?:e|ing)\b|\bsum(?: \w+){0,3} up\b|\btl;? ?dr\b|\bin a nutshell\b|\bin short\W*$",
    r"\bfass(?:e|en|t)?\b.{0,80}\bzusammen\b|\bzusammen(?:zu)?fassen\b|\bkurz gefasst\b",
    r"\bresumer\b|\bresumez\b|\bresum(?:e|es|ons)[ -](?:moi|nous|le|la|les|l.|ce|cet|cette|ces|en)\b|\bsynthetise",
    r"\bresum(?:e|ir|a|ame|irme|elo|elos|am|ido|iendo)\b(?= (?:el|los|las|est[aeo]s?|ambos|todo|o|os|as|isso"
    r"|tudo|por|brevemente)\b)",
    r"\bresum(?:ir|ame|irme|elo|elos)\b|^\W*resum[ae]\b(?! of)",
    r"\briassum\w+|\bsintetizz\w+|\briepilog(?:a|ami|are)\b|\bsintetiz[ae]r?\b",
    r"\bvat\b.{0,80}\bsamen\b|\bsamen(?: te )?vatten\b",
    r"\bstresc\w*|\bstreszcz\w*|\bpodsumuj\w*|\bpodsumowa[cn]\w*",
    # What it is about, and its main points
    r"\bwhat (?:is|are) (?:this|these|the) [\w ]{0,40}?\babout\W*$|\bworum geht\b.{0,20}\b(?:es|s)\b|\bde"
    r" quoi (?:parle|traite|s.agit)",
    r"\bde que (?:trata|tratan|habla|hablan|va)\b|\bdi (?:cosa|che) (?:parla|tratta|parlano|trattano)\b",
    r"\bwaar (?:gaat|gaan)\b.{0,60}\bover\b|\bdo que (?:trata|tratam|fala|falam)\b|\bo czym (?:jest|sa|mowi"
    r"|mowia|traktuje)\b",
    r"\b(?:main|key|central|most important) (?:points|findings|messages|ideas|takeaways|arguments|results"
    r"|conclusions|topics|themes)\b",
    r"\b(?:kernaussagen|hauptpunkte|hauptaussagen|kernpunkte|wichtigsten (?:punkte|aussagen|ergebnisse|themen"
    r"|inhalte))\b",
    r"\b(?:points|idees|messages|conclusions|themes) (?:cles?|principa(?:ux|les)|essentiel(?:le)?s)\b"
    r"|\bgrandes lignes\b",
    r"\b(?:puntos|ideas|conclusiones|temas) (?:clave|principales|mas importantes)\b",
    r"\b(?:punti|idee|conclusioni|temi) (?:chiave|principali|piu importanti)\b",
    r"\b(?:hoofdpunten|kernpunten|belangrijkste (?:punten|bevindingen|conclusies|themas?))\b",
    r"\b(?:pontos|ideias|conclusoes|temas) (?:chave|principais|mais importantes)\b",
    r"\b(?:najwazniejsze|glowne|kluczowe) (?:punkty|tezy|wnioski|tematy|informacje|mysli)\b",
    # To compare
    r"(?:^|[,;:.!?]|\b(?:please|you|to|and|then|let.?s)) *(?:compare|contrast)\b",
    r"\b(?:vergleich(?:e|en sie|t)|vergleiche mir|stelle?n?\b.{0,60}\bgegenuber)\b(?! (?:mit|zu)\b)|\bzu"
    r" vergleichen\b",
    r"(?:^|[,;:.!?]|\b(?:pouvez.vous|peux.tu|veuillez|puedes|puede|podrias|puoi|pode|podes|por favor)) *"
    r"(?:compar(?:e|er|ez|ons|a|ar|ame|en)|confront(?:a|are|ate)|paragona\w*)\b",
    r"^\W*(?:vergelijk|porownaj)\w*\b|\b(?:kun je|kunt u|wil je|graag|prosze|mozesz)\b.{0,60}\b(?:vergelijken"
    r"|porownac)\b",
    rf"\b(?:differences?|similarities) (?:between|of|among) {_THESE}|\bin common\W*$|\bunterschiede?\w*"
    rf" zwischen {_THESE}",
    rf"\bgemeinsamkeiten\b.{{0,20}}\b{_THESE}|\bdifferences? entre {_THESE}|\bdiferencias? entre {_THESE}",
    rf"\bdifferenz[ae] (?:tra|fra) {_THESE}|\bverschil(?:len)? tussen {_THESE}|\bdiferencas? entre {_THESE}",
    rf"\broznice? (?:po)?miedzy {_THESE}",
    # To list all
    r"\b(?:list|name|give|find|show|extract|collect|enumerate|identify|tell|mention|what are|which are)\b(?:"
    r" (?:me|us|out|up))?"
    r" (?:all|every|each)\b",
    r"^\W*(?:please )?(?:list|enumerate) |\b(?:make|give me|create|need|want) a (?:\w+ ){0,2}list of (?:all"
    r"|every|the)\b",
    r"\b(?:liste\w*|nenn\w*|zahl\w*|zeig\w*|gib|geben|find\w*|such\w*|fuhr\w*|welche\w*|was sind)\b(?:"
    r" \w+){0,3} (?:alle|samtliche|jede[rsn]?)\b",
    r"\b(?:list\w*|enumer\w*|donne\w*|cite\w*|trouv\w*|montr\w*|relev\w*|indiqu\w*|extrai\w*|quel(?:le)?s sont)\b"
    r"(?:[ -]\w+){0,2} tou(?:te)?s\b",
    r"\b(?:enumer\w*|list\w*|dime|muestra\w*|cita\w*|encuentr\w*|haz|indic\w*|extra\w*|diga|mostre|encontre"
    r"|cite|aponte|cuales son|quais sao)\b"
    r"(?: \w+){0,4} tod[oa]s\b",
    r"\b(?:elenc\w*|list\w*|trov\w*|mostra\w*|dammi|indic\w*|estra\w*|quali sono)\b(?: \w+){0,3} tutt[ie]\b",
    r"\b(?:noem|geef|toon|zoek|vind|maak|som|lijst|welke|wat zijn)\b(?: \w+){0,3} alle\b",
    r"\b(?:wymien\w*|wypisz\w*|podaj\w*|znajdz\w*|pokaz\w*|wylicz\w*|jakie sa)\b(?: \w+){0,2} wszystki\w+",
)
FRAME = frozenset(
    term.stem
    for term in read(
        """summarise summarize summary overview compare list all every give document text file page main points short
        please about report contract fasse zusammen zusammenfassung vergleiche liste alle nenne dokument dokumente datei
        dateien bitte kurz kernaussagen hauptpunkte überblick unterschiede beide beiden résume résumer résumez tous
        toutes texte fichier fichiers principaux resume resumir resumen compara lista todos todas documento documentos
        texto archivo archivos puntos principales riassumi riassumere riassunto confronta elenca tutti tutte documento
        documenti testo punti principali vat samen samenvatting vergelijk noem documenten tekst bestand bestanden
        hoofdpunten streść podsumuj porównaj wymień wszystkie dokumenty plik pliki resuma resumo arquivo ficheiro pontos
        principais"""
    ).terms
)
"""Stems of words that say only that the whole is asked for, and how."""


@cache
def _whole() -> re.Pattern[str]:
    """All rules as one, which takes a while to be compiled."""
    return re.compile("|".join(f"(?:{rule})" for rule in _RULES), re.MULTILINE)


def wants_whole(question: str) -> bool:
    """Whether the question is on all of a document rather than on a place in it."""
    return _whole().search(fold(question[:LOOKED_AT])) is not None

"""Requests to remember something are found in every language of the Union, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from eclair.text.intent.memory_request import MAX_MESSAGE_CHARS, find_memory_request
from eclair.text.intent.special_category import may_be_special_category


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("Remember that my office is in Lyon.", "My office is in Lyon."),
        ("Please remember that Dr. Weber is my boss. What is up?", "Dr. Weber is my boss."),
        ("remember my dog is called Rex", "My dog is called Rex"),
        ("Merke dir, dass ich in Köln wohne.", "Dass ich in Köln wohne."),
        ("Merk dir bitte: Ich mag kurze Antworten.", "Ich mag kurze Antworten."),
        ("Souviens-toi que j’habite à Lyon", "J’habite à Lyon"),
        ("Recuerda que vivo en Sevilla", "Vivo en Sevilla"),
        ("Ricordati che abito a Torino", "Abito a Torino"),
        ("Lembre-se de que moro em Braga", "Moro em Braga"),
        ("Onthoud dat ik in Gent woon", "Dat ik in Gent woon"),
        ("Husk, at jeg bor i Aarhus", "Jeg bor i Aarhus"),
        ("Kom ihåg att jag bor i Lund", "Jag bor i Lund"),
        ("Muista, että asun Turussa", "Että asun Turussa"),
        ("Jäta meelde, et elan Tartus", "Et elan Tartus"),
        ("Atceries, ka dzīvoju Liepājā", "Dzīvoju Liepājā"),
        ("Atsimink, kad gyvenu Kaune", "Gyvenu Kaune"),
        ("Zapamiętaj, że mieszkam w Gdyni", "Mieszkam w Gdyni"),
        ("Zapamatuj si, že bydlím v Brně", "Bydlím v Brně"),
        ("Zapamätaj si, že bývam v Nitre", "Bývam v Nitre"),
        ("Zapomni si, da živim v Kranju", "Živim v Kranju"),
        ("Zapamti da živim u Zadru", "Živim u Zadru"),
        ("Jegyezd meg, hogy Pécsen lakom", "Hogy Pécsen lakom"),
        ("Ține minte că locuiesc la Cluj", "Locuiesc la Cluj"),
        ("Запомни, че живея във Варна", "Живея във Варна"),
        ("Θυμήσου ότι μένω στην Πάτρα", "Μένω στην Πάτρα"),
        ("Ftakar li noqgħod il-Mosta", "Noqgħod il-Mosta"),
        ("Cuimhnigh go bhfuil cónaí orm i nGaillimh", "Go bhfuil cónaí orm i nGaillimh"),
        ("Zapamatuj si, ze mam dve deti", "Mam dve deti"),
    ],
)
def test_a_request_is_found_with_what_to_keep(message: str, kept: str) -> None:
    assert find_memory_request(message) == kept


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Remember that",
        "Remember when we met?",
        "Do you remember that my office is in Lyon?",
        "Remember the Titans is a good film",
        "What does 'remember that' mean?",
        "Translate: remember that I am late",
        "Summarise this mail:\n\nRemember that the password is swordfish.",
        "Remember that " + "x " * MAX_MESSAGE_CHARS,
    ],
)
def test_nothing_else_is_a_request(message: str) -> None:
    assert find_memory_request(message) is None


@pytest.mark.parametrize(
    "sentence",
    [
        "I am diabetic.",
        "My daughter is allergic to nuts",
        "Ich bin katholisch",
        "Je vote socialiste",
        "Soy celíaco",
        "Sono iscritto al sindacato",
        "Jestem w ciąży",
        "Jsem muslim",
        "Имам диабет",
        "Έχω άσθμα",
        "Olen raskaana",
        "Homoszexuális vagyok",
        "Tá ailléirge orm",
        "Għandi d-dijabete",
    ],
)
def test_what_may_be_of_a_special_category_is_known(sentence: str) -> None:
    assert may_be_special_category(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "My office is in Lyon.",
        "I hit the gym on Mondays",
        "Ich mag kurze Antworten.",
        "J’habite à Lyon",
        "Mi perro se llama Paco",
        "Mój pies nazywa się Burek",
        "Asun Turussa",
        "Живея във Варна",
    ],
)
def test_other_facts_are_kept(sentence: str) -> None:
    assert not may_be_special_category(sentence)

"""Requests that concern whole documents, in every official language of the EU that had no rule at first."""

from __future__ import annotations

import pytest

from eclair.text.intent.whole_document import listed_kind, wants_whole_document


@pytest.mark.parametrize(
    ("summary", "listing", "fact"),
    [
        ("Обобщи тази книга.", "Изброй всички срокове.", "Колко е наемът?"),
        ("Shrň tuto knihu.", "Vypiš všechny lhůty.", "Kolik je nájem?"),
        ("Opsummer denne bog.", "Nævn alle frister.", "Hvor høj er huslejen?"),
        ("Κάνε μια περίληψη του βιβλίου.", "Βρες όλες τις προθεσμίες.", "Πόσο είναι το ενοίκιο;"),
        ("Tee sellest raamatust kokkuvõte.", "Loetle kõik tähtajad.", "Kui suur on üür?"),
        ("Tiivistä tämä kirja.", "Luettele kaikki määräajat.", "Paljonko vuokra on?"),
        ("Déan achoimre ar an leabhar seo.", "Liostaigh gach spriocdháta.", "Cé mhéad an cíos?"),
        ("Sažmi ovu knjigu.", "Navedi sve rokove.", "Kolika je najamnina?"),
        ("Foglald össze ezt a könyvet.", "Sorold fel az összes határidőt.", "Mennyi a bérleti díj?"),
        ("Apibendrink šią knygą.", "Išvardink visus terminus.", "Kokia nuoma?"),
        ("Apkopo šo grāmatu.", "Uzskaiti visus termiņus.", "Cik liela ir īre?"),
        ("Agħmel sommarju ta' dan il-ktieb.", "Elenka l-iskadenzi kollha.", "Kemm hi l-kera?"),
        ("Rezumă această carte.", "Enumeră toate termenele.", "Cât este chiria?"),
        ("Zhrň túto knihu.", "Vypíš všetky lehoty.", "Koľko je nájom?"),
        ("Povzemi to knjigo.", "Naštej vse roke.", "Kolikšna je najemnina?"),
        ("Sammanfatta den här boken.", "Lista alla tidsfrister.", "Hur hög är hyran?"),
    ],
)
def test_a_summary_and_a_list_of_deadlines_are_of_the_whole(summary: str, listing: str, fact: str) -> None:
    assert wants_whole_document(summary)
    assert listed_kind(summary) is None
    assert listed_kind(listing) == "deadlines"
    assert not wants_whole_document(fact)

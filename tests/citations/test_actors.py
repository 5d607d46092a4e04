"""Sentences that say of one what a passage says of another, and those that only call somebody by another word."""

from __future__ import annotations

import pytest

from eclair.citations.checker import CitationChecker
from eclair.citations.evidence import Doubtful, Supported
from eclair.schema.messages import Passage

LEAFLET = """
The ward sister calls you two days before the operation. A relative must collect you. The anaesthetist explains the
injection. The pharmacy hands out the painkillers. The lift is serviced by the company Otto. The canteen closes at
2 p.m. The head porter, Ivan Holt, keeps the keys. The surgeon sees every patient.
"""
MINUTES = """
Chair: Ann Lee. Treasurer: Tom Moll. Present: Rita Olm (clerk), Jo Marsh, Omar Haddad. Tom Moll presents the budget.
The council repairs the fence. Rita Olm writes to the diocese. The school lends two tents. Jo Marsh keeps the seed
store.
"""
FERRY = """
The ferry Aurora returned to Port Ellis on Monday. The ship carries 420 passengers. The yard replaced both engines.
Captain Jo Marsh thanked the crew. She announced a second trip.
"""
HAUS = """
Verwalterin ist Corinna Behrens, Hausmeister ist Milan Petrović. Den Schnee räumt der Hausmeister. Die Musikschule
stimmt das Klavier. Das Pfarramt vermietet den Saal. Der Kreisverband druckt die Plakate. Im Winter liest der Verein
die Zähler ab.
"""
CLUB = """
Présidente : Sylvie Marchand. Trésorier : Hugo Lambert. Le maire ouvre la fête. Bruno Petit propose une sortie. La
librairie vend les livres. La mairie refuse le changement. Nadia Kaci (architecte) entraîne les juniors.
"""
TALLER = """
El ayuntamiento compra la madera. La asociación paga el seguro. Cada lunes abre las ventanas. El monitor afila las
herramientas. El conserje guarda las llaves.
"""
CONDOMINIO = """
Segretario: Dario Neri. Il comune pulisce il marciapiede. Il tetto è riparato dall'impresa Rossi. Il portiere annaffia
il giardino. Paolo Greco sceglie il colore.
"""
OSIEDLE = """
Sekretarz: Adam Sowa. Skarbnik: Ewa Kruk. Gmina naprawia chodnik przed bramą. Dozorca podlewa trawnik. Muzeum wypożycza
słuchawki.
"""


HARBOUR = """
The ferry Aurora returned to Port Ellis on Monday after a refit. It was built in Turku in 1994 and carries 420
passengers. Captain Jo Marsh took the ship out. Marsh had joined the company in 2003; she replaced Owen Teal. The mayor,
Ann Lee, thanked the crew. She announced a new bus to the pier.
"""
TOUR = """
L'architecte Nadia Brun a dirigé le chantier. Le maire, Alain Roux, a coupé le ruban. Il a annoncé une seconde visite.
"""


async def check(text: str, sentence: str) -> Supported | Doubtful | None:
    found = Passage(1, "notes.txt", "notes.txt", 1, None, (), 0, len(text), text)
    return await CitationChecker((found,), None).check(sentence)


@pytest.mark.parametrize(
    ("text", "sentence", "about"),
    [
        (LEAFLET, "The pharmacy explains the injection.", "pharmacy"),
        (LEAFLET, "The injection is explained by the surgeon.", "surgeon"),
        (LEAFLET, "The pharmacy serviced the lift.", "pharmacy"),
        (LEAFLET, "The sister keeps the keys.", "sister"),
        (MINUTES, "The school repairs the fence.", "school"),
        (MINUTES, "The diocese lends two tents.", "diocese"),
        (FERRY, "The crew replaced both engines.", "crew"),
        (HAUS, "Der Kreisverband stimmt das Klavier.", "Kreisverband"),
        (HAUS, "Den Saal vermietet die Musikschule.", "Musikschule"),
        (HAUS, "Der Hausmeister liest im Winter die Zähler ab.", "Hausmeister"),
        (CLUB, "Le maire vend les livres.", "maire"),
        (CLUB, "La mairie vend les livres.", "mairie"),
        (CLUB, "Nadia Kaci refuse le changement.", "Kaci"),
        (TALLER, "El monitor compra la madera.", "monitor"),
        (TALLER, "Las llaves las guarda el ayuntamiento.", "ayuntamiento"),
        (CONDOMINIO, "Il portiere pulisce il marciapiede.", "portiere"),
        (CONDOMINIO, "Il comune ripara il tetto.", "comune"),
        (OSIEDLE, "Dozorca naprawia chodnik przed bramą.", "Dozorca"),
        (HARBOUR, "Ann Lee replaced Owen Teal.", "Ann"),
        (TOUR, "Nadia Brun a coupé le ruban.", "Nadia"),
    ],
)
async def test_anothers_deed_is_doubted(text: str, sentence: str, about: str) -> None:
    verdict = await check(text, sentence)
    assert isinstance(verdict, Doubtful)
    assert verdict.about == about


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LEAFLET, "The injection is explained by the anaesthetist."),
        (LEAFLET, "The keys are kept by the head porter."),
        (LEAFLET, "Ivan Holt keeps the keys."),
        (LEAFLET, "The company Otto services the lift."),
        (MINUTES, "The treasurer presents the budget."),
        (MINUTES, "The clerk writes to the diocese."),
        (FERRY, "The ferry carries 420 passengers."),
        (FERRY, "Jo Marsh announced a second trip."),
        (FERRY, "Both engines were replaced by the yard."),
        (HAUS, "Das Klavier stimmt die Musikschule."),
        (HAUS, "Milan Petrović räumt den Schnee."),
        (CLUB, "La librairie vend ses livres."),
        (TALLER, "La asociación abre las ventanas cada lunes."),
        (CONDOMINIO, "L'impresa Rossi ripara il tetto."),
        (OSIEDLE, "Gmina naprawia chodnik."),
        (HARBOUR, "The Aurora carries 420 passengers."),
        (HARBOUR, "Captain Marsh joined the company in 2003."),
        (HARBOUR, "Ann Lee announced a new bus to the pier."),
        (TOUR, "Alain Roux a annoncé une seconde visite."),
    ],
)
async def test_the_same_one_by_another_word_is_cited(text: str, sentence: str) -> None:
    assert isinstance(await check(text, sentence), Supported)


@pytest.mark.parametrize(
    ("text", "sentence", "is_true"),
    [
        (MINUTES, "The chair is Ann Lee.", True),
        (MINUTES, "Tom Moll is the treasurer.", True),
        (MINUTES, "The clerk is Rita Olm.", True),
        (MINUTES, "The treasurer is Ann Lee.", False),
        (MINUTES, "Omar Haddad is the chair.", False),
        (MINUTES, "The clerk is Jo Marsh.", False),
        (HAUS, "Hausmeisterin ist Corinna Behrens.", False),
        (HAUS, "Verwalterin ist Corinna Behrens.", True),
        (CLUB, "La présidente est Nadia Kaci.", False),
        (CLUB, "Le trésorier est Hugo Lambert.", True),
        (CONDOMINIO, "Il segretario è Paolo Greco.", False),
        (OSIEDLE, "Sekretarzem jest Ewa Kruk.", False),
    ],
)
async def test_a_role_in_a_list_is_its_holders(text: str, sentence: str, is_true: bool) -> None:
    assert isinstance(await check(text, sentence), Supported if is_true else Doubtful)

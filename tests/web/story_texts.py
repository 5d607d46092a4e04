"""What happened in the small internet: events in towns that exist nowhere, told in German, French and English.

Only their words are here; which paper tells what, and when, is in `pages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["de", "fr", "en"]
LANGUAGES: tuple[Language, ...] = ("de", "fr", "en")


@dataclass(frozen=True, slots=True)
class Words:
    """How an event is told. `key` is the sentence that answers `question` with `answer`; `again` says the same in the
    words of another paper. `{town}`, `{who}`, `{n}` and `{m}` are the event's own."""

    headline: str
    key: str
    again: str
    more: tuple[str, str, str]
    question: str
    answer: str = "{n}"


TOWNS: dict[Language, tuple[str, ...]] = {
    "de": (
        *("Weidenfurt", "Oberlauen", "Steinwerder", "Kaltenmoor"),
        *("Brunnthalen", "Eschenrode", "Marlingen", "Hohenaue"),
    ),
    "fr": ("Valmorin", "Saint-Aubry", "Port-Lisel", "Montclairet", "Bresnoy", "Ruvières", "Castelvert", "Lormoye"),
    "en": (
        *("Harrowmere", "Port Ellisby", "Wintersham", "Stonebeck"),
        *("Aldergate", "Fenwick Hythe", "Dunmarrow", "Castleby"),
    ),
}

PEOPLE: dict[Language, tuple[str, ...]] = {
    "de": ("Annika Vossberg", "Jonas Radtke", "Miriam Teichert", "Holger Brandis", "Selma Aydin", "Peter Löwenthal"),
    "fr": ("Élise Garandeau", "Baptiste Morvan", "Inès Calvet", "Rémi Tardieu", "Nadia Belhadj", "Luc Fontanel"),
    "en": ("Margaret Ashcombe", "Tom Wetherell", "Priya Nair", "Owen Llewellyn", "Ruth Calloway", "Daniel Oyelaran"),
}

KINDS = ("bridge", "mayor", "ticket", "flood", "strike", "match", "museum", "jobs", "heat", "train")
"""`ticket` has an older report with an older price, and of `strike` and `jobs` one each is contradicted."""

VALUES: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "bridge": (("412", "38"), ("286", "21")),
    "mayor": (("54", "61"), ("52", "48")),
    "ticket": (("6.20", "5.40"), ("4.80", "4.10")),
    "flood": (("647", "520"), ("713", "600")),
    "strike": (("340", "190"), ("415", "88")),
    "match": (("4", "1"), ("3", "2")),
    "museum": (("83,500", "12"), ("61,200", "9")),
    "jobs": (("750", "2031"), ("1,200", "900")),
    "heat": (("41.3", "39.8"), ("39.6", "38.9")),
    "train": (("47", "72"), ("95", "140")),
}
"""`{n}` and `{m}` of the two events of each kind, written as in English."""

_DE: dict[str, Words] = {
    "bridge": Words(
        "Neue Brücke in {town} für den Verkehr freigegeben",
        "Die neue Brücke in {town} ist {n} Meter lang und hat {m} Millionen Euro gekostet.",
        "Mit einer Länge von {n} Metern überspannt die neue Brücke von {town} den Fluss.",
        (
            "Nach vier Jahren Bauzeit rollten am Vormittag die ersten Autos über das Bauwerk.",
            "Radfahrer bekommen auf beiden Seiten einen eigenen Streifen, der im Winter geräumt wird.",
            "Die alte Brücke soll im kommenden Frühjahr abgerissen werden, sagte die Verwaltung.",
        ),
        "Wie lang ist die neue Brücke in {town}?",
    ),
    "mayor": Words(
        "{who} gewinnt die Bürgermeisterwahl in {town}",
        "{who} ist mit {n} Prozent der Stimmen zur Bürgermeisterin oder zum Bürgermeister von {town} gewählt worden.",
        "Neu im Rathaus von {town}: {who} setzte sich mit {n} Prozent der Stimmen durch.",
        (
            "Die Wahlbeteiligung lag bei {m} Prozent und damit höher als vor fünf Jahren.",
            "Das Amt wird zum Ersten des übernächsten Monats übergeben.",
            "Im Wahlkampf ging es vor allem um Kitas und um die Ortsumgehung.",
        ),
        "Wer ist in {town} zur Bürgermeisterin oder zum Bürgermeister gewählt worden?",
        "{who}",
    ),
    "ticket": Words(
        "Tageskarte für Busse in {town} kostet ab sofort {n} Euro",
        "Eine Tageskarte für die Busse in {town} kostet jetzt {n} Euro.",
        "Wer in {town} einen Tag lang Bus fahren will, zahlt dafür nun {n} Euro.",
        (
            "Die Verkehrsbetriebe begründen den Preis mit höheren Kosten für Strom und Personal.",
            "Kinder unter zehn Jahren fahren weiter umsonst mit.",
            "Monatskarten bleiben bis zum Jahresende unverändert.",
        ),
        "Was kostet die Tageskarte für die Busse in {town}?",
    ),
    "flood": Words(
        "Hochwasser in {town}: Pegel erreicht {n} Zentimeter",
        "Der Pegel in {town} hat in der Nacht mit {n} Zentimetern seinen Höchststand erreicht.",
        "Bei {n} Zentimetern blieb das Wasser in {town} gegen drei Uhr früh stehen.",
        (
            "Die Feuerwehr hat den Uferweg gesperrt und Sandsäcke verteilt.",
            "Ab {m} Zentimetern gilt die höchste Warnstufe.",
            "Für die kommenden Tage erwarten die Meteorologen keinen weiteren Regen.",
        ),
        "Wie hoch stand das Hochwasser in {town}?",
    ),
    "strike": Words(
        "Pflegekräfte am Klinikum {town} legen die Arbeit nieder",
        "Am Klinikum {town} streiken seit dem Morgen {n} Pflegekräfte.",
        "Am Streik im Klinikum {town} beteiligen sich {n} Pflegekräfte.",
        (
            "Die Gewerkschaft fordert mehr Personal in den Nachtschichten.",
            "Planbare Operationen wurden verschoben, Notfälle werden behandelt.",
            "Für den Nachmittag ist ein Gespräch mit der Leitung vereinbart.",
        ),
        "Wie viele Pflegekräfte streiken am Klinikum {town}?",
    ),
    "match": Words(
        "FC {town} siegt deutlich im Pokal",
        "Der FC {town} hat sein Pokalspiel mit {n}:{m} gewonnen.",
        "Mit einem {n}:{m} zieht der FC {town} in die nächste Runde des Pokals ein.",
        (
            "Schon nach zwölf Minuten traf der Kapitän zur Führung.",
            "Der Trainer lobte nach dem Abpfiff vor allem die Abwehr.",
            "Das nächste Spiel wird am Samstag ausgelost.",
        ),
        "Wie ging das Pokalspiel des FC {town} aus?",
        "{n}:{m}",
    ),
    "museum": Words(
        "Museum in {town} zieht Bilanz seines ersten Jahres",
        "Das Museum in {town} hat im ersten Jahr {n} Besucher gezählt.",
        "{n} Menschen kamen im ersten Jahr in das Museum von {town}.",
        (
            "Der Eintritt kostet {m} Euro, Schulklassen zahlen nichts.",
            "Besonders gefragt war die Sammlung alter Uhren.",
            "Im Herbst soll ein zweiter Saal für Wechselausstellungen öffnen.",
        ),
        "Wie viele Besucher hatte das Museum in {town} im ersten Jahr?",
    ),
    "jobs": Words(
        "Batteriefabrik in {town}: Investor nennt Zahlen",
        "Die Batteriefabrik in {town} soll {n} Arbeitsplätze schaffen.",
        "{n} Arbeitsplätze entstehen nach Angaben des Unternehmens in der Batteriefabrik von {town}.",
        (
            "Der Bau soll im Frühjahr beginnen und zwei Jahre dauern.",
            "Anwohner sorgen sich um das Grundwasser und verlangen ein Gutachten.",
            "Das Land fördert die Ansiedlung mit einem Kredit.",
        ),
        "Wie viele Arbeitsplätze soll die Batteriefabrik in {town} schaffen?",
    ),
    "heat": Words(
        "So heiß war es in {town} noch nie",
        "In {town} wurden {n} Grad gemessen, so viel wie nie zuvor.",
        "Die Wetterstation von {town} meldete {n} Grad, einen neuen Höchstwert.",
        (
            "Der bisherige Rekord lag bei {m} Grad.",
            "Die Stadt hat die Kirchen als kühle Räume geöffnet.",
            "Am Wochenende soll es mit Gewittern abkühlen.",
        ),
        "Welche Höchsttemperatur wurde in {town} gemessen?",
    ),
    "train": Words(
        "Neue Bahnstrecke nach {town} eröffnet",
        "Die Fahrt mit dem Zug nach {town} dauert auf der neuen Strecke nur noch {n} Minuten.",
        "{n} Minuten statt {m} braucht der Zug auf der neuen Strecke nach {town}.",
        (
            "Bisher waren die Reisenden {m} Minuten unterwegs.",
            "Die Züge fahren jede Stunde, abends alle zwei Stunden.",
            "Zwei Bahnhöfe unterwegs wurden barrierefrei umgebaut.",
        ),
        "Wie lange dauert die Zugfahrt nach {town} auf der neuen Strecke?",
    ),
}

_FR: dict[str, Words] = {
    "bridge": Words(
        "Le nouveau pont de {town} est ouvert à la circulation",
        "Le nouveau pont de {town} mesure {n} mètres et a coûté {m} millions d'euros.",
        "Long de {n} mètres, le nouveau pont de {town} enjambe désormais la rivière.",
        (
            "Après quatre ans de travaux, les premières voitures l'ont emprunté dans la matinée.",
            "Les cyclistes disposent d'une voie de chaque côté, déneigée en hiver.",
            "L'ancien pont sera démoli au printemps prochain, a précisé la mairie.",
        ),
        "Quelle est la longueur du nouveau pont de {town} ?",
    ),
    "mayor": Words(
        "{who} remporte les élections municipales à {town}",
        "{who} a été élu à la mairie de {town} avec {n} % des voix.",
        "La mairie de {town} revient à {who}, qui recueille {n} % des voix.",
        (
            "La participation a atteint {m} %, plus qu'il y a cinq ans.",
            "La passation aura lieu le premier jour du mois d'après.",
            "La campagne a surtout porté sur les crèches et la rocade.",
        ),
        "Qui a été élu à la mairie de {town} ?",
        "{who}",
    ),
    "ticket": Words(
        "À {town}, le ticket de bus à la journée passe à {n} euros",
        "Le ticket de bus à la journée coûte désormais {n} euros à {town}.",
        "Pour circuler une journée en bus à {town}, il faut maintenant payer {n} euros.",
        (
            "La régie explique ce prix par le coût de l'électricité et du personnel.",
            "Les enfants de moins de dix ans voyagent toujours gratuitement.",
            "L'abonnement mensuel ne change pas avant la fin de l'année.",
        ),
        "Combien coûte le ticket de bus à la journée à {town} ?",
    ),
    "flood": Words(
        "Crue à {town} : l'eau monte à {n} centimètres",
        "À {town}, la rivière a atteint {n} centimètres pendant la nuit, son plus haut niveau.",
        "L'eau s'est arrêtée à {n} centimètres vers trois heures du matin à {town}.",
        (
            "Les pompiers ont fermé le quai et distribué des sacs de sable.",
            "L'alerte maximale est donnée à partir de {m} centimètres.",
            "Les météorologues n'attendent plus de pluie dans les prochains jours.",
        ),
        "Quel niveau la crue a-t-elle atteint à {town} ?",
    ),
    "strike": Words(
        "Grève des soignants à l'hôpital de {town}",
        "À l'hôpital de {town}, {n} soignants sont en grève depuis ce matin.",
        "La grève à l'hôpital de {town} est suivie par {n} soignants.",
        (
            "Le syndicat demande davantage de personnel la nuit.",
            "Les opérations prévues sont reportées, les urgences restent ouvertes.",
            "Une rencontre avec la direction est prévue dans l'après-midi.",
        ),
        "Combien de soignants sont en grève à l'hôpital de {town} ?",
    ),
    "match": Words(
        "Large victoire du FC {town} en Coupe",
        "Le FC {town} a gagné son match de Coupe {n}-{m}.",
        "Victorieux {n}-{m}, le FC {town} accède au tour suivant de la Coupe.",
        (
            "Le capitaine a ouvert le score dès la douzième minute.",
            "L'entraîneur a surtout félicité sa défense après le coup de sifflet final.",
            "Le prochain adversaire sera tiré au sort samedi.",
        ),
        "Quel est le score du match de Coupe du FC {town} ?",
        "{n}-{m}",
    ),
    "museum": Words(
        "Le musée de {town} dresse le bilan de sa première année",
        "Le musée de {town} a accueilli {n} visiteurs pendant sa première année.",
        "{n} personnes ont visité le musée de {town} en un an.",
        (
            "L'entrée coûte {m} euros, les classes ne paient rien.",
            "La collection d'horloges anciennes a eu le plus de succès.",
            "Une deuxième salle doit ouvrir à l'automne.",
        ),
        "Combien de visiteurs le musée de {town} a-t-il accueillis la première année ?",
    ),
    "jobs": Words(
        "Usine de batteries à {town} : l'investisseur donne ses chiffres",
        "L'usine de batteries de {town} doit créer {n} emplois.",
        "Selon l'entreprise, {n} emplois sont prévus dans l'usine de batteries de {town}.",
        (
            "Le chantier doit commencer au printemps et durer deux ans.",
            "Les riverains s'inquiètent pour l'eau et demandent une expertise.",
            "La région soutient le projet par un prêt.",
        ),
        "Combien d'emplois l'usine de batteries de {town} doit-elle créer ?",
    ),
    "heat": Words(
        "Jamais il n'avait fait aussi chaud à {town}",
        "On a mesuré {n} degrés à {town}, du jamais vu.",
        "La station météo de {town} a relevé {n} degrés, un nouveau record.",
        (
            "Le record précédent était de {m} degrés.",
            "La ville a ouvert les églises pour offrir un peu de fraîcheur.",
            "Des orages doivent rafraîchir l'air pendant le week-end.",
        ),
        "Quelle température record a été mesurée à {town} ?",
    ),
    "train": Words(
        "La nouvelle ligne de train vers {town} est en service",
        "Le trajet en train vers {town} ne dure plus que {n} minutes sur la nouvelle ligne.",
        "{n} minutes au lieu de {m} : la nouvelle ligne rapproche {town}.",
        (
            "Il fallait jusqu'ici {m} minutes aux voyageurs.",
            "Les trains partent toutes les heures, toutes les deux heures le soir.",
            "Deux gares du parcours ont été rendues accessibles.",
        ),
        "Combien de temps dure le trajet en train vers {town} sur la nouvelle ligne ?",
    ),
}

_EN: dict[str, Words] = {
    "bridge": Words(
        "New bridge in {town} opens to traffic",
        "The new bridge in {town} is {n} metres long and cost {m} million euros.",
        "At {n} metres, the new bridge of {town} now spans the river.",
        (
            "After four years of work the first cars crossed it in the morning.",
            "Cyclists get a lane of their own on both sides, cleared of snow in winter.",
            "The old bridge is to be pulled down next spring, the council said.",
        ),
        "How long is the new bridge in {town}?",
    ),
    "mayor": Words(
        "{who} wins the mayoral election in {town}",
        "{who} was elected mayor of {town} with {n} per cent of the votes.",
        "The town hall of {town} goes to {who}, who took {n} per cent of the votes.",
        (
            "Turnout was {m} per cent, higher than five years ago.",
            "The office is handed over on the first of the month after next.",
            "The campaign turned on nurseries and on the bypass.",
        ),
        "Who was elected mayor of {town}?",
        "{who}",
    ),
    "ticket": Words(
        "Day ticket for buses in {town} now {n} euros",
        "A day ticket for the buses in {town} now costs {n} euros.",
        "Anyone who rides the buses of {town} for a day now pays {n} euros.",
        (
            "The operator blames the cost of electricity and of staff.",
            "Children under ten still travel free.",
            "Monthly passes stay as they are until the end of the year.",
        ),
        "What does a day ticket for the buses in {town} cost?",
    ),
    "flood": Words(
        "Flood in {town}: river reaches {n} centimetres",
        "The river in {town} peaked at {n} centimetres during the night.",
        "At about three in the morning the water in {town} stopped at {n} centimetres.",
        (
            "The fire brigade closed the embankment and handed out sandbags.",
            "The highest alert begins at {m} centimetres.",
            "Forecasters expect no more rain in the coming days.",
        ),
        "How high did the flood in {town} rise?",
    ),
    "strike": Words(
        "Nurses walk out at {town} hospital",
        "At {town} hospital {n} nurses have been on strike since this morning.",
        "The strike at {town} hospital has been joined by {n} nurses.",
        (
            "The union asks for more staff on night shifts.",
            "Planned operations were put off, emergencies are treated.",
            "Talks with the management are set for the afternoon.",
        ),
        "How many nurses are on strike at {town} hospital?",
    ),
    "match": Words(
        "{town} FC win clearly in the cup",
        "{town} FC won their cup match {n}-{m}.",
        "A {n}-{m} win takes {town} FC into the next round of the cup.",
        (
            "The captain scored the first goal after twelve minutes.",
            "The coach praised his defence above all after the final whistle.",
            "The next opponent will be drawn on Saturday.",
        ),
        "What was the score of the cup match of {town} FC?",
        "{n}-{m}",
    ),
    "museum": Words(
        "Museum in {town} looks back on its first year",
        "The museum in {town} had {n} visitors in its first year.",
        "{n} people came to the museum of {town} within a year.",
        (
            "Admission is {m} euros, school classes pay nothing.",
            "The collection of old clocks was most in demand.",
            "A second hall is to open in autumn.",
        ),
        "How many visitors did the museum in {town} have in its first year?",
    ),
    "jobs": Words(
        "Battery factory in {town}: investor gives figures",
        "The battery factory in {town} is to create {n} jobs.",
        "{n} jobs are planned in the battery factory of {town}, the company says.",
        (
            "Building is to begin in spring and to take two years.",
            "Neighbours worry about the ground water and demand a survey.",
            "The region supports the project with a loan.",
        ),
        "How many jobs is the battery factory in {town} to create?",
    ),
    "heat": Words(
        "{town} has never been so hot",
        "In {town} {n} degrees were measured, more than ever before.",
        "The weather station of {town} reported {n} degrees, a new record.",
        (
            "The record so far was {m} degrees.",
            "The town opened its churches as cool rooms.",
            "Thunderstorms should bring cooler air at the weekend.",
        ),
        "What record temperature was measured in {town}?",
    ),
    "train": Words(
        "New railway line to {town} opens",
        "On the new line the train to {town} takes only {n} minutes.",
        "{n} minutes in place of {m}: the new line brings {town} closer.",
        (
            "So far the journey took {m} minutes.",
            "Trains leave every hour, every two hours in the evening.",
            "Two stations on the way were made accessible.",
        ),
        "How long does the train to {town} take on the new line?",
    ),
}

WORDS: dict[Language, dict[str, Words]] = {"de": _DE, "fr": _FR, "en": _EN}

BRIEF: dict[Language, tuple[str, ...]] = {
    "de": (
        "In {town} wird die Hauptstraße zwischen Markt und Bahnhof für eine Woche gesperrt.",
        "Der Wochenmarkt von {town} zieht wegen Bauarbeiten auf den Kirchplatz um.",
        "In {town} ist ein entlaufener Hund nach drei Tagen wohlbehalten gefunden worden.",
        "Die Bücherei von {town} sucht Freiwillige, die Kindern vorlesen.",
        "Der Chor von {town} lädt am Sonntag zu einem Konzert bei freiem Eintritt ein.",
        "Am Rathaus von {town} werden neue Linden gepflanzt.",
    ),
    "fr": (
        "À {town}, la rue principale sera fermée une semaine entre le marché et la gare.",
        "Le marché de {town} s'installe sur la place de l'église pendant les travaux.",
        "Un chien perdu à {town} a été retrouvé sain et sauf après trois jours.",
        "La bibliothèque de {town} cherche des bénévoles pour lire aux enfants.",
        "La chorale de {town} donne dimanche un concert gratuit.",
        "De nouveaux tilleuls seront plantés devant la mairie de {town}.",
    ),
    "en": (
        "In {town} the high street between market and station will be closed for a week.",
        "The weekly market of {town} moves to the church square during road works.",
        "A dog lost in {town} was found safe and sound after three days.",
        "The library of {town} is looking for volunteers who read to children.",
        "The choir of {town} gives a free concert on Sunday.",
        "New lime trees are to be planted at the town hall of {town}.",
    ),
}


def number(value: str, language: Language) -> str:
    """A number as that language writes it."""
    match language:
        case "en":
            return value
        case "de":
            return value.translate(str.maketrans(",.", ".,"))
        case "fr":
            return value.translate({ord(","): "\u202f", ord("."): ","})

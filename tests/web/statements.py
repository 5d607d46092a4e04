"""Pairs of sentences from two sites that contradict each other on a question, and pairs that only differ.

`TUNED` pairs were at hand while the comparison was written, `HELD_OUT` ones were tried afterwards.
"""

from __future__ import annotations

Pair = tuple[str, str, str]
"""A question, and what the two sites say."""

TUNED: tuple[Pair, ...] = (
    ("Who won the election in Wexcombe?", "Brandt won the election in Wexcombe.", "Moll won the election in Wexcombe."),
    (
        "What does the museum of Orval cost?",
        "Entry to the museum of Orval costs €9.",
        "Entry to the museum of Orval is free.",
    ),
    (
        "Is the refuge of Baume open?",
        "The refuge of Baume is open this winter.",
        "The refuge of Baume is closed this winter.",
    ),
    (
        "How much revenue did Orbisol report?",
        "Orbisol reported revenue of £412 million.",
        "Orbisol reported revenue of £398 million... up.",
    ),
    (
        "How long does the Lumora battery last?",
        "The Lumora battery lasts 31 days.",
        "The Lumora battery lasts 14 days.",
    ),
    ("Was kostet die Linie 7?", "Die Linie 7 kostet 84,3 Millionen Euro.", "Die Linie 7 kostet 62 Millionen Euro."),
    (
        "Hat der Rat den Haushalt beschlossen?",
        "Der Rat hat den Haushalt beschlossen.",
        "Der Rat hat den Haushalt abgelehnt.",
    ),
    ("Le refuge de la Baume est-il ouvert ?", "Le refuge de la Baume est ouvert.", "Le refuge de la Baume est fermé."),
    ("Quanto costa il museo di Alba?", "Il museo di Alba costa 9 euro.", "Il museo di Alba costa 12 euro."),
)
TUNED_NONE: tuple[Pair, ...] = (
    ("When does the bus leave?", "The bus leaves Belhaven at 06:45.", "The bus leaves Dunmoor at 07:15."),
    ("How high is the tower?", "The tower of Hall is 40 m high.", "The tower of Imst is 52 m high."),
    (
        "What was the revenue of Orbisol?",
        "The revenue of Orbisol in 2025 was £412 million.",
        "The revenue of Orbisol in 2024 was £398 million.",
    ),
    ("When does the last ferry leave?", "The last ferry leaves at 23:10.", "The last ferry leaves at 11.10 pm."),
    (
        "How long is the path to the lake?",
        "The path to the lake is 6.8 km long.",
        "The path to the lake is 6800 m long.",
    ),
    ("How long is the bridge of Ellery?", "The bridge of Ellery is 412 m long.", "The bridge of Ellery is 31 m high."),
    ("How many people came to the fair?", "About 4,000 people came to the fair.", "3,980 people came to the fair."),
    (
        "When do ferries leave Ellery?",
        "The first ferry leaves Ellery at 06:10.",
        "The last ferry leaves Ellery at 23:10.",
    ),
    ("Wie hoch ist der Turm?", "Der Turm in Hall ist 40 m hoch.", "Der Turm in Imst ist 52 m hoch."),
    ("Is the pool of Wexcombe open?", "The pool of Wexcombe is open.", "The pool of Wexcombe is not closed."),
    (
        "Who won the election in Wexcombe?",
        "Brandt won the election in Wexcombe.",
        "Moll lost the election in Wexcombe.",
    ),
    ("What does the museum cost?", "The museum costs €9 for adults.", "The museum is free for children under six."),
    ("Who won the match?", "Standish won the match.", "Priya Standish won the match."),
)
HELD_OUT: tuple[Pair, ...] = (
    ("Who is the mayor of Lindach?", "The mayor of Lindach is Anna Rieth.", "The mayor of Lindach is Otto Frey."),
    (
        "Is the pass road of Vionne open?",
        "The pass road of Vionne is closed.",
        "The pass road of Vionne is open again.",
    ),
    ("How many jobs will Tarvo cut?", "Tarvo will cut 900 jobs.", "Tarvo will cut 1,400 jobs."),
    ("What does parking at Rigg cost?", "Parking at Rigg is free.", "Parking at Rigg costs £4."),
    (
        "Wie lang ist der Tunnel von Sernio?",
        "Der Tunnel von Sernio ist 8,2 km lang.",
        "Der Tunnel von Sernio ist 9,7 km lang.",
    ),
    ("Wer hat das Derby gewonnen?", "Das Derby hat Kirchdorf gewonnen.", "Das Derby hat Neustift gewonnen."),
    (
        "Combien coûte le pont de Vionne ?",
        "Le pont de Vionne coûte 12 millions d'euros.",
        "Le pont de Vionne coûte 19 millions d'euros.",
    ),
    ("Il teatro di Bari è aperto?", "Il teatro di Bari è aperto.", "Il teatro di Bari è chiuso."),
    (
        "When does the last bus to Tarn leave?",
        "The last bus to Tarn leaves at 22:40.",
        "The last bus to Tarn leaves at 21:15.",
    ),
)
HELD_OUT_NONE: tuple[Pair, ...] = (
    ("What does the pool cost?", "The pool of Lindach costs €4.", "The pool of Vionne costs €6."),
    ("How many people live in Tarn?", "In 1990 Tarn had 4,100 people.", "In 2020 Tarn had 5,300 people."),
    ("How heavy is the bell of Rigg?", "The bell of Rigg weighs 2.4 t.", "The bell of Rigg weighs 2400 kg."),
    ("When does the market of Tarn open?", "The market of Tarn opens at 7 am.", "The market of Tarn opens at 07:00."),
    ("How long does the trip to Ellery take?", "The trip to Ellery takes 90 min.", "The trip to Ellery takes 1.5 h."),
    ("How big is the lake of Vionne?", "The lake of Vionne is 98 m deep.", "The lake of Vionne is 11 km long."),
    ("Wann schließt das Bad?", "Das Bad in Lindach schließt um 21:00 Uhr.", "Das Bad in Rottal schließt um 20:00 Uhr."),
    ("Is the museum of Tarn open?", "The museum of Tarn is open in summer.", "The museum of Tarn is closed in winter."),
    (
        "Combien de nitrates contient l'Elme ?",
        "L'Elme contient 17 mg de nitrates.",
        "L'Elme contient environ 17,2 mg de nitrates.",
    ),
    ("Who plays in the final?", "Lindach plays in the final.", "Rottal plays in the final."),
    ("How much did the bridge cost?", "The bridge cost 12 million euros.", "The bridge cost about 12.1 million euros."),
    (
        "What did the council of Rigg decide?",
        "The council of Rigg approved 14 new flats.",
        "The council of Rigg approved a school for 300 pupils.",
    ),
    ("Quanto dista Alba da Sernio?", "Alba dista 40 km da Sernio.", "Alba dista 30 km da Vionne."),
)

SECOND: tuple[Pair, ...] = (
    ("How deep is the well of Rottal?", "The well of Rottal is 62 m deep.", "The well of Rottal is 48 m deep."),
    (
        "Who founded the mill of Tarn?",
        "The mill of Tarn was founded by Ostrander.",
        "The mill of Tarn was founded by Vael.",
    ),
    (
        "Darf man in Lindach grillen?",
        "In Lindach ist Grillen am See erlaubt.",
        "In Lindach ist Grillen am See verboten.",
    ),
    ("Combien de postes Tarvo supprime-t-il ?", "Tarvo supprime 900 postes.", "Tarvo supprime 1 400 postes."),
    (
        "Quanto è lungo il tunnel di Sernio?",
        "Il tunnel di Sernio è lungo 8,2 km.",
        "Il tunnel di Sernio è lungo 9,7 km.",
    ),
    ("What does a ticket to Rigg cost?", "A ticket to Rigg costs £18.50.", "A ticket to Rigg costs £24."),
)
SECOND_NONE: tuple[Pair, ...] = (
    ("How long is the wall of Rigg?", "The wall of Rigg is 3 m thick.", "The wall of Rigg is 9 km long."),
    (
        "Who sings in the choir of Tarn?",
        "Anna Rieth sings in the choir of Tarn.",
        "Otto Frey sings in the choir of Tarn.",
    ),
    ("Was kostet die Karte?", "Die Karte kostet 2024 in Lindach 4 Euro.", "Die Karte kostet 2026 in Lindach 5 Euro."),
    ("How hot was it in Rottal?", "It was 41.3 °C in Rottal on 3 May.", "It was 28 °C in Rottal on 9 June."),
    ("When does the gym open?", "The gym opens at 6 pm.", "The gym opens at 18:00."),
    ("Quand ferme la piscine ?", "La piscine de Vionne ferme à 19 h 00.", "La piscine de Tarn ferme à 20 h 00."),
    ("How many rooms has the inn of Rigg?", "The inn of Rigg has 14 rooms.", "The inn of Rigg has 31 beds."),
    ("Is the ferry of Ellery running?", "The ferry of Ellery is running.", "The ferry of Ellery has a new captain."),
)
"""A second look, at pairs written after the ones above had been seen."""

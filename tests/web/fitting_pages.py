"""Pages that answer a question by a label and a value, and pages that don't answer it.

`TUNED` ones were at hand while the check was changed, `HELD_OUT` ones were tried afterwards. Each is a question, the
page's title, its heading, and its text.
"""

from __future__ import annotations

Fitting = tuple[str, str, str, str]

TUNED_ANSWERING: tuple[Fitting, ...] = (
    (
        "What does the Brixley Tourer bike cost?",
        "Brixley Tourer bike",
        "Brixley Tourer bike",
        "Price: £249.95\nIn stock.",
    ),
    (
        "Wie hoch ist der Berg Hochlitzner?",
        "Hochlitzner",
        "Berg Hochlitzner",
        "Lage: Allgäu\nHöhe: 1493 m\nErstbesteigung 1870",
    ),
    (
        "What is the phone number of Wexcombe surgery?",
        "Wexcombe surgery",
        "Wexcombe surgery",
        "12 Mill Lane\nTel. 01632 960 441",
    ),
    ("Who is the author of The Salt Road?", "The Salt Road", "The Salt Road", "Author: Mira Ostrander\nPages: 312"),
    (
        "Was kostet Olivenöl von Masetti?",
        "Olivenöl Masetti",
        "Olivenöl Masetti",
        "Preis: 14,50 €\nInhalt 0,75 l, aus Umbrien",
    ),
    (
        "Quand ouvre le musée du papier d'Orval ?",
        "Musée du papier",
        "Musée du papier d'Orval",
        "Du mardi au samedi, 10 h – 17 h 30\nFermé le lundi",
    ),
    (
        "Quanto costa il biglietto per la Torre Alba?",
        "Torre Alba",
        "Biglietto per la Torre Alba",
        "Intero 9,00 €\nRidotto 5,00 €",
    ),
    (
        "When was the bridge of Port Ellery built?",
        "Port Ellery bridge",
        "Port Ellery bridge",
        "Built: 1911\nLength: 214 m",
    ),
)
TUNED_OTHERS: tuple[Fitting, ...] = (
    (
        "What does the Brixley Tourer bike cost?",
        "Brixley news",
        "Town news",
        "Brixley has a new mayor. She rides a bike to work.",
    ),
    (
        "Wie hoch ist der Berg Hochlitzner?",
        "Hütten im Allgäu",
        "Hütten",
        "Die Hütte am Hochlitzner öffnet im Juni. Es gibt Suppe und Brot.",
    ),
    (
        "What is the phone number of Wexcombe surgery?",
        "Wexcombe fair",
        "Wexcombe fair",
        "The fair of Wexcombe drew 4,000 people on Sunday.",
    ),
    (
        "Who is the author of The Salt Road?",
        "Salt",
        "Trade in salt",
        "Salt was carried on mules across the pass for centuries.",
    ),
    (
        "Was kostet Olivenöl von Masetti?",
        "Olivenernte",
        "Olivenernte",
        "Die Ernte in Umbrien war schlecht. Es fiel zu wenig Regen.",
    ),
    (
        "Quand ouvre le musée du papier d'Orval ?",
        "Orval",
        "Orval en fête",
        "La fête d'Orval a réuni trois mille personnes dimanche.",
    ),
    (
        "Quanto costa il biglietto per la Torre Alba?",
        "Alba",
        "Alba",
        "La squadra di Alba ha vinto la partita di domenica.",
    ),
    (
        "When was the bridge of Port Ellery built?",
        "Port Ellery",
        "Ferry",
        "The last ferry from Port Ellery leaves at 23:10.",
    ),
)
HELD_OUT_ANSWERING: tuple[Fitting, ...] = (
    ("How much is the Lumora lamp?", "Lumora lamp | Lights", "Lumora lamp", "£39.00\nFree delivery"),
    ("How long is the Tarn Viaduct?", "Tarn Viaduct", "Tarn Viaduct", "Opened: 1884\nSpan: 412 m\nMaterial: stone"),
    (
        "Welche Telefonnummer hat die Praxis Dr. Rieth?",
        "Praxis Dr. Rieth",
        "Kontakt Praxis Dr. Rieth",
        "Tel.: 07141 55 02 13\nFax: 07141 55 02 14",
    ),
    (
        "Wer hat den Roman Nebelfluss geschrieben?",
        "Nebelfluss",
        "Nebelfluss (Roman)",
        "Autorin: Hanna Tervo\nVerlag: Quell",
    ),
    (
        "Wann schließt die Bibliothek Lindach?",
        "Stadtbibliothek Lindach",
        "Bibliothek Lindach",
        "Montag geschlossen\nDienstag–Freitag 10–18 Uhr",
    ),
    (
        "Quelle est la superficie du lac de Vionne ?",
        "Lac de Vionne",
        "Lac de Vionne",
        "Superficie : 41 km²\nProfondeur : 98 m",
    ),
    ("Qual è l'altezza del monte Sernio?", "Monte Sernio", "Monte Sernio", "Altezza: 2187 m\nProvincia: Udine"),
    ("Combien coûte le vélo Tarvo 3 ?", "Vélo Tarvo 3", "Vélo Tarvo 3", "1 299,00 €\nCadre en aluminium"),
)
HELD_OUT_OTHERS: tuple[Fitting, ...] = (
    (
        "How much is the Lumora lamp?",
        "Lamp museum",
        "Old lamps",
        "The museum shows four hundred lamps of brass and glass.",
    ),
    ("How long is the Tarn Viaduct?", "Walks in Tarn", "Walks", "The path starts at the church and leads past a mill."),
    (
        "Welche Telefonnummer hat die Praxis Dr. Rieth?",
        "Ärzte warnen vor Grippe",
        "Grippe",
        "Die Ärzte raten zur Impfung. Dr. Mall sprach von vielen Kranken.",
    ),
    (
        "Wer hat den Roman Nebelfluss geschrieben?",
        "Nebel am Fluss",
        "Wetter",
        "Am Morgen liegt Nebel am Fluss, später scheint die Sonne.",
    ),
    (
        "Wann schließt die Bibliothek Lindach?",
        "Lindach baut",
        "Neubau",
        "Lindach baut eine Turnhalle für drei Millionen Euro.",
    ),
    (
        "Quelle est la superficie du lac de Vionne ?",
        "Vionne",
        "Un incendie à Vionne",
        "Un incendie a détruit une grange dans la nuit de mardi.",
    ),
    (
        "Qual è l'altezza del monte Sernio?",
        "Escursioni",
        "Escursioni",
        "L'escursione parte dalla chiesa e dura tre ore.",
    ),
    (
        "Combien coûte le vélo Tarvo 3 ?",
        "Tour du lac",
        "Tour du lac",
        "Le vélo est le meilleur moyen de faire le tour du lac.",
    ),
)

"""Tells a question that asks for a place from others, in the 24 official languages of the European Union.

Where a photo was taken is only told to who asks for it, and to no model on another machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from eclair.schema.documents import PLACE
from eclair.schema.messages import Passage

_ASKS = re.compile(
    r"\b(?:where|whereabouts|location|place|gps|coordinates?|latitude|longitude|city|country|"
    r"wo|woher|ort|aufnahmeort|standort|koordinaten|stadt|land|où|lieu|endroit|coordonnées|ville|pays|"
    r"dónde|donde|lugar|ubicación|coordenadas|ciudad|país|dove|luogo|posizione|coordinate|città|paese|onde|local|"
    r"cidade|waar|plaats|locatie|stad|coördinaten|gdzie|miejsc\w*|współrzędn\w*|kde|míst\w*|miest\w*|souřadnic\w*|"
    r"súradnic\w*|hvor|sted|var|plats|koordinater|missä|paikka|sijainti|koordinaatit|kus|koht|asukoht|kur|vieta|"
    r"vietā|koordinat\w*|hol|hely\w*|unde|loc|locul|locație|πού|που|τόπος|τοποθεσία|къде|място|gdje|mjesto|kje|kraj|"
    r"fejn|post|cá|áit)\b",
    re.IGNORECASE,
)


def tellable(passages: Sequence[Passage], question: str, *, local: bool) -> list[Passage]:
    """Drop where photos were taken unless the question asks for it and the model is on this machine (`local`)."""
    allowed = local and _ASKS.search(question) is not None
    return [passage for passage in passages if allowed or passage.label != PLACE]

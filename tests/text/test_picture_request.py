"""Requests for a picture are told from other requests, in every language of the page."""

from __future__ import annotations

import pytest

from eclair.text.intent.picture_request import asks_for_picture

REQUESTS = {
    "bg": "Нарисувай ми котка в градината",
    "cs": "Nakresli mi kočku na střeše",
    "da": "Tegn et billede af en kat",
    "de": "Zeichne mir eine Katze auf einem Dach",
    "el": "Ζωγράφισε μια γάτα σε μια στέγη",
    "en": "Draw a picture of a cat on a roof",
    "es": "Dibuja un gato en un tejado",
    "et": "Joonista kass katusel",
    "fi": "Piirrä kissa katolla",
    "fr": "Dessine-moi un mouton",
    "ga": "Tarraing pictiúr de chat",
    "hr": "Nacrtaj mačku na krovu",
    "hu": "Rajzolj egy macskát a tetőn",
    "it": "Disegna un gatto su un tetto",
    "lt": "Nupiešk katę ant stogo",
    "lv": "Uzzīmē kaķi uz jumta",
    "mt": "Pinġi qattus fuq is-saqaf",
    "nl": "Teken een kat op een dak",
    "pl": "Narysuj kota na dachu",
    "pt": "Desenha um gato num telhado",
    "ro": "Desenează o pisică pe un acoperiș",
    "sk": "Nakresli mačku na streche",
    "sl": "Nariši mačko na strehi",
    "sv": "Rita en katt på ett tak",
}

PHOTOS = (
    "Can you make a photo of the sea at night?",
    "draw me a photo",
    "I want a picture of my dream house.",
    "Bitte mach ein Foto von einem Hund am Strand.",
    "Fais-moi une image d'un château",
    "Crea una imagen de una playa",
    "Genera una foto di un tramonto",
    "Zrób zdjęcie zachodu słońca",
)

OTHERS = (
    "Why is the sky blue?",
    "Draw a conclusion from these figures.",
    "Draw a table of the planets.",
    "Draw a flowchart of this process.",
    "What did Picasso paint in 1907?",
    "How do I take a picture of the moon?",
    "Describe the picture.",
    "Zeichne ein Diagramm der Umsätze.",
    "Male lions have manes; why?",
    "Dessine un schéma du circuit",
    "Mach mir einen Vorschlag für ein Geschenk.",
    "Explain how to draw a cat step by step in a graph.",
    "Mala suerte: ¿qué hago?",
    "",
)


@pytest.mark.parametrize("question", [*REQUESTS.values(), *PHOTOS])
def test_a_request_for_a_picture_is_recognized(question: str) -> None:
    assert asks_for_picture(question)


@pytest.mark.parametrize("question", OTHERS)
def test_another_request_is_not_taken_for_one(question: str) -> None:
    assert not asks_for_picture(question)

"""Sentences that claim something a source could bear out, and those that don't."""

from __future__ import annotations

import pytest

from eclair.citations.claims import makes_claim, strip_preamble


@pytest.mark.parametrize(
    "sentence",
    [
        "The document does not limit liability to 5,000 euros.",
        "The contract document does not allow pets.",
        "Das Dokument erlaubt keine Untervermietung.",
        "Im Abschnitt 5 steht, dass Hunde nicht erlaubt sind.",
        "Im Vertrag ist die Untermiete nicht erlaubt.",
        "Les documents ne limitent pas la responsabilité.",
        "El documento no permite mascotas.",
        "Here is the deposit: 2,850 euros.",
        "We will pay 950 euros.",
        "We do not allow pets.",
        "The document does not mention pets, but the deposit is 2,850 euros.",
        "Das Dokument nennt keine Frist; sie beträgt 3 Monate.",
        "The document does not mention pets, but the tenant may sublet the flat.",
        "The document does not mention pets and the deposit is 2,850 euros.",
        "Das Dokument nennt keine Haustiere, aber der Mieter darf untervermieten.",
        "Les documents ne mentionnent pas d'animaux, mais le locataire peut sous-louer.",
    ],
)
def test_a_denial_or_figure_is_a_claim(sentence: str) -> None:
    assert makes_claim(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "The document does not mention a rent for 2025.",
        "The document doesn't specify whether the deposit is 2,850 euros.",
        "The deposit is not mentioned in the lease document.",
        "I could not find the rent for 2025.",
        "The document does not mention a rent for 2024 and 2025.",
        "The document does not mention pets, but I do not know why.",
        "Les documents ne mentionnent pas ma caution.",
        "Πόσο ήταν το 2025;",
        "Here is the summary.",
        "Im Text steht nichts über Hunde.",
        "Der Preis wird im Dokument nicht genannt.",
        "Dazu gibt es keine Angaben.",
        "Im Abschnitt 5 steht nichts über Hunde.",
        "Section 5 does not mention pets.",
        "Документът не споменава домашни любимци.",
        "Dokument se o psech nezmiňuje.",
        "Dokumentet nævner ikke husdyr.",
        "Das Dokument nennt keinen Preis für 2025.",
        "Το έγγραφο δεν αναφέρει κατοικίδια.",
        "El documento no menciona mascotas.",
        "Dokumendis ei mainita lemmikloomi.",
        "Asiakirjassa ei mainita lemmikkejä.",
        "Les documents ne mentionnent pas de caution.",
        "Ní luann an doiciméad peataí.",
        "Dokument ne spominje kućne ljubimce.",
        "A dokumentum nem említi a háziállatokat.",
        "Il documento non menziona gli animali.",
        "Dokumente neminimi gyvūnai.",
        "Dokumentā nav minēti mājdzīvnieki.",
        "Id-dokument ma jsemmix annimali.",
        "Het document noemt geen huisdieren.",
        "Dokument nie wspomina o zwierzętach.",
        "O documento não menciona animais.",
        "Documentul nu menționează animale.",
        "Dokument nespomína zvieratá.",
        "Dokument ne omenja hišnih ljubljenčkov.",
        "Dokumentet nämner inte husdjur.",
    ],
)
def test_that_the_sources_do_not_tell_is_no_claim(sentence: str) -> None:
    assert not makes_claim(sentence)


@pytest.mark.parametrize(
    ("sentence", "is_claim"),
    [
        ("**The deposit is 2,850 euros.**", True),
        ("**The tenant pays the deposit.**", True),
        ("**Rent: 950 euros**", True),
        ("**About 95 euros**", True),
        ("**The deposit**", False),
        ("**Key points:**", False),
        ("**1. Termination of the lease**", False),
        ("**Step 2: Pay the deposit**", False),
        ("**Option 2**", False),
        ("**§ 14 Notice**", False),
    ],
)
def test_a_bold_line_is_a_heading_without_figures_and_stop(sentence: str, is_claim: bool) -> None:
    assert makes_claim(sentence) == is_claim


@pytest.mark.parametrize(
    ("sentence", "rest"),
    [
        ("According to the information provided in the first passage, pictures are due on 9 November.", "pictures are"),
        ("Based on the passages provided, the rent is 850 euros.", "the rent is"),
        ("Laut den bereitgestellten Informationen beträgt die Miete 850 Euro.", "beträgt die Miete"),
        ("Selon le document, le loyer est de 850 euros.", "le loyer est"),
        ("Según la información proporcionada, la renta es de 850 euros.", "la renta es"),
        ("Secondo il documento, l'affitto è di 850 euro.", "l'affitto è"),
        ("Zgodnie z dokumentem, czynsz wynosi 850 zł.", "czynsz wynosi"),
    ],
)
def test_what_says_only_that_the_sources_tell_is_taken_from_a_claim(sentence: str, rest: str) -> None:
    assert strip_preamble(sentence).startswith(rest)


@pytest.mark.parametrize(
    "sentence",
    [
        "According to the police report, the rent is 850 euros.",
        "According to Dr. Kolbe, the document is false.",
        "In the text of 2019, the rent is 850 euros.",
        "Laut Vermieter beträgt die Miete 850 Euro.",
        "According to the documents,",
    ],
)
def test_whoever_else_is_said_to_tell_stays_in_a_claim(sentence: str) -> None:
    assert strip_preamble(sentence) == sentence

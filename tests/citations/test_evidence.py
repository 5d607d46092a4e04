"""Sentences that say the same otherwise, and sentences that only look as if they did."""

from __future__ import annotations

import pytest

from eclair.citations.checker import CitationChecker
from eclair.citations.evidence import Doubtful, Supported, Verdict, split_passage
from eclair.schema.messages import Passage


def passage(
    text: str,
    name: str = "notes.txt",
    heading: tuple[str, ...] = (),
    url: str | None = None,
    published: str | None = None,
) -> Passage:
    return Passage(1, name, name, 1, None, heading, 0, len(text), text, url=url, published=published)


NEWS = passage(
    "The council approved the night ferry on Tuesday. The last boat leaves at 23.10. The crossing is 6.8 km long. "
    "Dogs are allowed on deck, but bicycles are not. Helen Brandt defeated Tom Moll in 2025. Orlo stands at 2,410 "
    "metres, Tessin at 1,870 metres. In 2019 Orlo counted 14,000 visitors, in 2020 only 3,200.",
    "Council votes for night ferry",
    url="https://www.langdale-echo.example/ferry",
    published="2026-11-25",
)
STADT = passage(
    "Der Stadtrat hat am Dienstag die Straßenbahnlinie 7 beschlossen. Die Haftung ist auf 50.000 Euro begrenzt. "
    "Mündliche Nebenabreden sind unwirksam. Reisekosten werden nicht erstattet, Materialkosten schon. "
    "Die Firma Rheinbau verkauft der Stadt zwölf Wagen. "
    "Der Auftraggeber zahlt dem Auftragnehmer 95 Euro je Stunde. Die Meister prüfen die Bahn."
)
GIUNTA = passage(
    "La giunta ha approvato martedì la nuova linea del tram. Il mulino è aperto di domenica. L’ingresso è gratuito. "
    "Il prezzo del biglietto aumenta in gennaio. I cani sono ammessi in spiaggia. Il ponte è stato costruito nel 1908."
)
RADA = passage(
    "Rada miasta zatwierdziła we wtorek nową linię tramwajową. Młyn jest otwarty w niedzielę. Wstęp jest bezpłatny. "
    "Cena biletu wzrośnie w styczniu. Psy są dozwolone na plaży. Umowa jest zawarta na czas określony. "
    "Most zbudowano w 1908 roku."
)
REFUGE = passage(
    "Le refuge de la Baume est fermé du 1er novembre 2026 au 15 mars 2027. La commune loue le refuge à Cimes."
)
LEASE = passage("§ 4 Notice\nThe deposit is 1,800 euros.", "lease.pdf", ("Lease agreement", "§ 4 Notice"))
STAMP = passage("The stamp for a letter costs six cents at the counter.")
TRAIN = passage("Le train transporte 600 passagers. Le billet coûte six cents francs en première classe.")
RECEIPT = passage(
    "THE OLD MILL\n12.09.2026 19:42\n2 Fish pie | 27.00\n1 Garden salad | 6.50\n3 Lemonade | 9.60\n"
    "Subtotal | 43.10\nService 10% | 4.31\nTotal | 47.41"
)
FEES = passage(
    "La cotisation annuelle est de 85 euros ; elle est ramenée à 50 euros pour les étudiants et les retraités. "
    "Elle est payable en une ou deux fois."
)
BEITRAG = passage("Der Jahresbeitrag beträgt 85 Euro; er sinkt für Schüler und Rentner auf 50 Euro.")
SALES = passage("Region | 2023 | 2024\nNorth | 1,240 | 1,310\nSouth | 980 | 1,020\nEast | 1,510 | 1,480", "sales.csv")


async def check(against: Passage, sentence: str, question: str = "", before: str = "") -> Verdict | None:
    return await CitationChecker([against], None, question).check(sentence, before)


@pytest.mark.parametrize(
    ("against", "sentence"),
    [
        (NEWS, "The last boat leaves at 23:10."),
        (NEWS, "The last boat leaves at 11.10 pm."),
        (STAMP, "The stamp for a letter costs 6 cents at the counter."),
        (TRAIN, "Le train transporte six cents passagers."),
        (GIUNTA, "Nel 1908 è stato costruito il ponte."),
        (GIUNTA, "I cani sono ammessi in spiaggia."),
        (GIUNTA, "La nuova linea del tram è stata approvata martedì dalla giunta."),
        (RADA, "Most zbudowano w 1908 roku."),
        (RADA, "Psy są na plaży dozwolone."),
        (RADA, "We wtorek rada miasta zatwierdziła nową linię tramwajową."),
        (NEWS, "The last boat leaves at 23h10."),
        (NEWS, "The crossing is 6800 m long."),
        (NEWS, "Bicycles are not allowed on deck."),
        (NEWS, "Tom Moll was defeated by Helen Brandt in 2025."),
        (NEWS, "Tessin stands at 1,870 metres."),
        (NEWS, "In 2020 Orlo counted only 3,200 visitors."),
        (NEWS, "According to the Langdale Echo of 25 November 2026, the council approved the night ferry."),
        (STADT, "Meist beschlossen: Der Stadtrat hat am Dienstag die Straßenbahnlinie 7 beschlossen."),
        (STADT, "Materialkosten werden erstattet."),
        (STADT, "Zwölf Wagen verkauft die Firma Rheinbau der Stadt."),
        (REFUGE, "Non : le refuge de la Baume est fermé du 1er novembre 2026 au 15 mars 2027."),
        (RECEIPT, "The service charge was £4.31."),
        (RECEIPT, "The receipt is of 12 September 2026, 7.42 pm."),
        (SALES, "In 2024 the North sold 1,310."),
        (FEES, "La cotisation est de 50 euros pour les étudiants et les retraités."),
        (FEES, "La cotisation annuelle est de 85 euros."),
        (BEITRAG, "Der Jahresbeitrag sinkt für Schüler auf 50 Euro."),
        (BEITRAG, "Der Jahresbeitrag beträgt für Schüler und Rentner 50 Euro."),
    ],
)
async def test_the_same_in_another_form_is_cited(against: Passage, sentence: str) -> None:
    verdict = await check(against, sentence)
    assert isinstance(verdict, Supported), verdict
    assert against.text[verdict.start : verdict.end] == verdict.quote


@pytest.mark.parametrize(
    ("against", "sentence", "about"),
    [
        (NEWS, "The last boat leaves at 11.10 am.", "11.10 am"),
        (NEWS, "The crossing is 6.8 miles long.", "6.8 miles"),
        (NEWS, "The council rejected the night ferry on Tuesday.", "rejected"),
        (NEWS, "Dogs are not allowed on deck.", "not"),
        (NEWS, "Bicycles are allowed on deck.", ""),
        (NEWS, "Tom Moll defeated Helen Brandt in 2025.", "Tom"),
        (NEWS, "Helen Brandt was defeated by Tom Moll in 2025.", "Helen"),
        (NEWS, "Tessin stands at 2,410 metres.", "2,410 metres"),
        (NEWS, "In 2020 Orlo counted 14,000 visitors.", "14,000"),
        (NEWS, "Paul Brandt defeated Tom Moll in 2025.", "Paul"),
        (STADT, "Der Stadtrat hat am Dienstag die Straßenbahnlinie 7 eingestellt.", "eingestellt"),
        (STADT, "Mündliche Nebenabreden sind wirksam.", "wirksam"),
        (STADT, "Reisekosten werden erstattet.", ""),
        (STADT, "Der Auftragnehmer zahlt dem Auftraggeber 95 Euro je Stunde.", "Auftragnehmer"),
        (REFUGE, "Le refuge de la Baume est ouvert du 1er novembre 2026 au 15 mars 2027.", "ouvert"),
        (REFUGE, "Cimes loue le refuge à la commune.", "Cimes"),
        (STAMP, "The stamp for a letter costs 7 cents at the counter.", "7"),
        (TRAIN, "Le train transporte sept cents passagers.", "sept cents"),
        (GIUNTA, "La giunta ha bocciato martedì la nuova linea del tram.", "bocciato"),
        (GIUNTA, "Il mulino è chiuso di domenica.", "chiuso"),
        (GIUNTA, "Il prezzo del biglietto cala in gennaio.", "cala"),
        (GIUNTA, "I cani sono vietati in spiaggia.", "vietati"),
        (GIUNTA, "Il ponte è stato demolito nel 1908.", "demolito"),
        (GIUNTA, "La giunta ha approvato martedì la vecchia linea del tram.", "vecchia"),
        (RADA, "Rada miasta uchyliła we wtorek nową linię tramwajową.", "uchyliła"),
        (RADA, "Młyn jest zamknięty w niedzielę.", "zamknięty"),
        (RADA, "Wstęp jest płatny.", "płatny"),
        (RADA, "Cena biletu spadnie w styczniu.", "spadnie"),
        (RADA, "Psy są zabronione na plaży.", "zabronione"),
        (RADA, "Umowa jest zawarta na czas nieokreślony.", "nieokreślony"),
        (RADA, "Most zburzono w 1908 roku.", "zburzono"),
        (RECEIPT, "The total is £43.10.", "£43.10"),
        (RECEIPT, "The lemonade cost £33.50.", "£33.50"),
        (FEES, "La cotisation annuelle est de 50 euros.", "50 euros"),
        (FEES, "La cotisation annuelle est de 85 euros pour les étudiants.", "85 euros"),
        (BEITRAG, "Der Jahresbeitrag beträgt für Schüler 85 Euro.", "85 Euro"),
        (SALES, "In 2023 the North sold 1,310.", "1,310"),
        (SALES, "All regions together sold 3,910 in 2024.", "3,910"),
    ],
)
async def test_what_only_looks_alike_is_doubted(against: Passage, sentence: str, about: str) -> None:
    verdict = await check(against, sentence)
    assert isinstance(verdict, Doubtful), verdict
    assert verdict.about == about


@pytest.mark.parametrize(
    ("against", "sentence", "computation"),
    [
        (RECEIPT, "The food without the drinks came to £33.50.", "27.00 + 6.50 = 33.50"),
        (RECEIPT, "One lemonade cost £3.20.", "9.60 / 3 = 3.20"),
        (SALES, "All regions together sold 3,810 in 2024.", "1,310 + 1,020 + 1,480 = 3810"),
        (SALES, "The North grew by 70 from 2023 to 2024.", "1,310 - 1,240 = 70"),
        (SALES, "In 2024 the North sold 1,310.", None),
    ],
)
async def test_sums_and_differences_are_computed(against: Passage, sentence: str, computation: str | None) -> None:
    verdict = await check(against, sentence)
    assert isinstance(verdict, Supported), verdict
    assert verdict.computation == computation


@pytest.mark.parametrize(
    ("against", "sentence"),
    [
        (NEWS, "The article is dated 25 November 2026."),
        (LEASE, "Section 4 of the lease agreement deals with notice."),
    ],
)
async def test_what_title_heading_and_day_say_is_not_doubted(against: Passage, sentence: str) -> None:
    assert not isinstance(await check(against, sentence), Doubtful)


@pytest.mark.parametrize(("name", "is_known"), [("lionel-messi.jpg", False), ("lionel-messi.txt", True)])
async def test_the_name_of_a_photo_is_no_evidence(name: str, is_known: bool) -> None:
    shown = passage("A man in a striped shirt kicks a ball on a lawn.", name)
    verdict = await check(shown, "Lionel Messi in a striped shirt kicks a ball.")
    assert isinstance(verdict, Supported) == is_known
    assert isinstance(await check(shown, "A man kicks a ball on a lawn."), Supported)


async def test_another_day_than_the_pages_is_doubted() -> None:
    assert await check(NEWS, "The article is dated 26 November 2026.") == Doubtful("26 November 2026", 1)
    assert isinstance(await check(NEWS, "The ferry starts on 25 November 2026."), Doubtful)


LETTER = "Dear Mr Harper,\n\nI am writing to end the lease.\n\n"


@pytest.mark.parametrize(
    ("question", "sentence", "before"),
    [
        ("Write an e-mail that ends the lease.", "I am moving out of the flat in May.", ""),
        ("Traduis ce paragraphe en anglais.", "The committee meets on Thursday.", ""),
        ("Formuliere eine Kündigung an den Vermieter.", "Die Schlüssel übergebe ich am 31. Mai.", ""),
        ("Redacta una carta de queja.", "Les ruego que me devuelvan el dinero.", ""),
        ("What is the notice period?", "I will hand over the keys in May.", LETTER),
        ("What is the notice period?", "Jane Miller", f"{LETTER}Best regards,\n"),
        ("What is the notice period?", "In my opinion, that is too long.", ""),
        ("What is the notice period?", "Best regards,", ""),
        ("Wie lang ist die Frist?", "Ich hoffe, das hilft weiter.", ""),
        ("Quel est le délai ?", "Bon courage !", ""),
        ("¿Cuál es el plazo?", "Avísame si quieres más detalles.", ""),
    ],
)
async def test_what_claims_nothing_about_the_sources_is_not_doubted(question: str, sentence: str, before: str) -> None:
    assert await check(LEASE, sentence, question, before) is None


@pytest.mark.parametrize(
    ("question", "sentence", "before"),
    [
        ("Write an e-mail to my landlord and tell me how much the deposit is.", "The deposit is 1,900 euros.", ""),
        ("What is the deposit?", "I think the deposit is 1,900 euros.", ""),
        ("What is the deposit?", "The deposit is 1,900 euros.", f"{LETTER}Best regards,\nJane Miller\n\n"),
    ],
)
async def test_what_is_claimed_beside_a_draft_is_doubted(question: str, sentence: str, before: str) -> None:
    assert isinstance(await check(LEASE, sentence, question, before), Doubtful)


def test_sentences_beside_a_table_are_not_taken_for_one() -> None:
    table = passage("5 | 11 April | an outing\nThere is no class on 4 April. If it rains, the outing isn't held.")
    rows = [table.text[start:end] for start, end in split_passage(table)]
    assert rows == ["5 | 11 April | an outing", "There is no class on 4 April.", "If it rains, the outing isn't held."]


BATHS = passage(
    "Hallenbad Quellstedt: Öffnungszeiten\n• Dienstag bis Freitag: 6.30 – 20.00 Uhr\n• Samstag: 9.00 – 17.30 Uhr\n"
    "Das Hallenbad Quellstedt hat ein Becken von 25 Metern.\nZehnerkarte UVP 49 € 42 €",
    "Hallenbad Quellstedt",
)
CLOCKS = passage("Day | Opening hours\nTuesday to Friday | 10.30 – 17.00\nSaturday | 11.00 – 18.30", "Museum")


@pytest.mark.parametrize(
    ("source", "sentence", "is_true"),
    [
        (BATHS, "Am Samstag von 9.00 bis 17.30 Uhr.", True),
        (BATHS, "Am Samstag von 9 bis 18 Uhr.", False),
        (BATHS, "Die Zehnerkarte kostet 42 €.", True),
        (BATHS, "Die Zehnerkarte kostet 45 €.", False),
        (CLOCKS, "On Saturday from 11:00 AM to 18:30 PM.", True),
        (CLOCKS, "On Saturday from 11:00 AM to 19:30 PM.", False),
    ],
)
async def test_hours_and_prices_of_a_page_are_compared_as_they_are_written(
    source: Passage, sentence: str, is_true: bool
) -> None:
    verdict = await CitationChecker((source,), None).check(sentence)
    assert isinstance(verdict, Supported if is_true else Doubtful), verdict


def test_a_list_ends_before_the_text_below_it() -> None:
    spans = [BATHS.text[start:end] for start, end in split_passage(BATHS)]
    assert "• Samstag: 9.00 – 17.30 Uhr" in spans
    assert "Das Hallenbad Quellstedt hat ein Becken von 25 Metern." in spans


RULES = (
    "Fires are banned on the dunes, on the beach allowed. The kiosk closes at 6 pm, on Fridays at 4 pm."
    " In 1931 a storm sank the lightship; in 1938 it was raised. Walkers may use the causeway, riders not."
)


@pytest.mark.parametrize(
    ("sentence", "is_true"),
    [
        ("Fires are banned on the dunes.", True),
        ("Fires are allowed on the beach.", True),
        ("Fires are allowed on the dunes.", False),
        ("On Fridays the kiosk closes at 4 pm.", True),
        ("On Fridays the kiosk closes at 6 pm.", False),
        ("The lightship was raised in 1938.", True),
        ("A storm sank the lightship in 1938.", False),
        ("Walkers may use the causeway.", True),
        ("Riders may use the causeway.", False),
        ("Riders may use the causeway, walkers not.", False),
    ],
)
async def test_clauses_of_few_words_are_held_apart(sentence: str, is_true: bool) -> None:
    passage = Passage(1, "file", "rules.txt", 1, None, (), 0, len(RULES), RULES)
    verdict = await CitationChecker([passage], None).check(sentence)
    assert isinstance(verdict, Supported if is_true else Doubtful), verdict

"""Speech: how soon it is heard, how well it is understood, and how much faster than real time.

A server with the embedded model and the installed parts is called as the web app calls it. Reading aloud: from a
finished first sentence to its sound. A conversation by voice: from the end of a spoken question to the first sound of
the answer, with the silence that ends the question; the words are recognized once more in the first pause, and the
answer's first sentence is spoken as soon as it is whole. Understanding: sentences written for this bench, so that no
training set has them, spoken by the voices of the part `speaking`, clean and with pink noise 15 dB below the speech,
made here; no recordings of people. Kokoro's voices sound like people, SVOX Pico's like a machine; German has only the
latter.

Times are those of the clock. Where other programs use the processor, look at the figures in processor time beside
them.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from client import SSE, begin, call, native_message
from harness import Goals, Process, eclair, link_models, median, options, run, table
from numpy.typing import NDArray

from eclair.settings import Settings
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.speaking_parts import SpeakingParts
from eclair.speech.synthesis_protocol import SAMPLE_RATE
from eclair.speech.synthesis_worker import PICO_PACKAGE, PICO_RATE
from eclair.speech.voices import VOICES

LISTEN_PAUSE_S = 0.3
SENTENCE_END_S, OPEN_END_S = 0.45, 1.2
"""The pause in which the page has the words recognized once more, and those after which it sends them: behind a whole
sentence, and behind other words."""
NOISE_DB = -15.0
LOCALES = {"en": "en-GB", "de": "de-DE", "fr": "fr-FR", "es": "es-ES", "it": "it-IT"}
SENTENCES = {
    "en": (
        "The ferry to the island leaves from the second pier when the lighthouse keeper has gone to bed.",
        "My neighbour repaired the old bicycle with a spoon and a piece of string.",
        "Please move the meeting with the gardener to Thursday afternoon.",
        "Nobody in the village knew who had painted the church door green.",
        "The recipe needs butter, pears and a little more patience than I have.",
        "If the train is late again, we will take the bus along the river.",
    ),
    "de": (
        "Die Fähre zur Insel legt am zweiten Steg ab, wenn der Leuchtturmwärter schlafen gegangen ist.",
        "Mein Nachbar hat das alte Fahrrad mit einem Löffel und einer Schnur repariert.",
        "Bitte verschieben Sie die Besprechung mit dem Gärtner auf Donnerstag Nachmittag.",
        "Niemand im Dorf wusste, wer die Kirchentür grün gestrichen hatte.",
        "Das Rezept braucht Butter, Birnen und etwas mehr Geduld, als ich habe.",
        "Wenn der Zug wieder zu spät kommt, nehmen wir den Bus am Fluss entlang.",
    ),
    "fr": (
        "Le bateau pour la petite île part du deuxième quai quand le gardien du phare est couché.",
        "Mon voisin a réparé la vieille bicyclette avec une cuillère et un morceau de ficelle.",
        "Merci de déplacer la réunion avec le jardinier à jeudi après-midi.",
        "Personne dans le village ne savait qui avait peint la porte de la mairie.",
        "La recette demande du beurre, des poires et beaucoup de patience.",
        "Si le train est encore en retard, nous prendrons le bus le long de la rivière.",
    ),
    "es": (
        "El barco a la isla sale del segundo muelle cuando el guardián del faro se ha dormido.",
        "Mi vecino reparó la bicicleta vieja con una cuchara y un trozo de cuerda.",
        "Por favor, cambie la reunión con el jardinero al jueves por la tarde.",
        "Nadie en el pueblo sabía quién había pintado de verde la puerta de la iglesia.",
        "La receta necesita mantequilla, peras y un poco más de paciencia.",
        "Si el tren llega tarde otra vez, tomaremos el autobús junto al río.",
    ),
    "it": (
        "Il traghetto per la piccola isola parte dal secondo molo quando il guardiano del faro dorme.",
        "Il mio vicino ha riparato la vecchia bicicletta con un cucchiaio e un pezzo di spago.",
        "Per favore, sposti la riunione con il giardiniere a giovedì pomeriggio.",
        "Nessuno nel villaggio sapeva chi avesse dipinto di verde la porta della chiesa.",
        "La ricetta richiede burro, pere e molta pazienza in cucina.",
        "Se il treno è di nuovo in ritardo, prenderemo l'autobus lungo il fiume.",
    ),
}
QUESTIONS = (
    "What is the capital of France?",
    "Why is the sky blue?",
    "How long should I boil an egg?",
    "What does a lighthouse do?",
)
FIRST_SENTENCES = (
    "The ferry leaves from the second pier.",
    "Boil the egg for about seven minutes.",
    "A lighthouse warns ships of rocks near the coast.",
    "Yes, that is possible.",
)

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds by the clock, and seconds of processor time of the server and its processes."""

    wall: float
    cpu: float


class Stopwatch:
    def __init__(self, server: Process) -> None:
        self._server = server
        self._wall, self._cpu = time.perf_counter(), server.cpu()

    def read(self) -> Spent:
        return Spent(time.perf_counter() - self._wall, self._server.cpu() - self._cpu)


class Pico:
    """The voices of the other engine. Blocks."""

    def __init__(self) -> None:
        sys.path.append(str(SpeakingParts(Settings().data_dir).folder))
        self._engine: Any = __import__(PICO_PACKAGE).NanoTTS()

    def speak(self, text: str, language: str) -> Sound:
        raw: bytes = self._engine.speak(text, voice=LOCALES[language], speed=1.0)
        return (np.frombuffer(raw, "<i2") / 32768).astype(np.float32)


def with_noise(sound: Sound, seed: int) -> Sound:
    """Add pink noise NOISE_DB below the speech, before and after it too."""
    padded = np.pad(sound, PICO_RATE // 2)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(len(padded)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), len(padded))
    loudness = float(np.sqrt(np.mean(sound**2)))
    noise *= loudness * 10 ** (NOISE_DB / 20) / np.sqrt(np.mean(noise**2))
    return (padded + noise).astype(np.float32)


def to_wav(sound: Sound) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(PICO_RATE)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return target.getvalue()


def word_errors(expected: str, heard: str) -> tuple[int, int]:
    """Return the edit distance in words, and the number of words expected."""
    left, right = (re.sub(r"[^\w\s]", " ", text.lower()).split() for text in (expected, heard))
    row = list(range(len(right) + 1))
    for i, word in enumerate(left, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1], len(left)


async def hear(server: Process, sound: bytes, language: str = "") -> str:
    """Have a recording recognized as the page does."""
    query = f"?language={language}" if language else ""
    said = await call(server.port, "POST", f"/api/speech/dictation{query}", sound)
    return " ".join(segment["text"] for segment in said["segments"])


async def first_sound(server: Process, text: str, *, done: bool) -> bool:
    """Have the first sentence of a text so far spoken; False if there is none yet."""
    found = await call(server.port, "POST", "/api/speech/sentences", {"text": text, "done": done, "language": "en"})
    if not found["sentences"]:
        return False
    first = found["sentences"][0]
    body = {"text": first["text"], "voice": first["voice"], "language": first["language"]}
    reply = await (await begin(server.port, "POST", "/api/speech/sound", body)).reply()
    if reply.status != 200 or not reply.body.startswith(b"ID3"):
        raise SystemExit(f"The sentence was not spoken: {reply.status} {reply.body[:200]!r}")
    return True


async def measure_reading(server: Process, rounds: int, goals: Goals) -> None:
    """Measure how soon a finished first sentence is heard."""
    spent: list[Spent] = []
    for number in range(rounds):
        watch = Stopwatch(server)
        await first_sound(server, FIRST_SENTENCES[number % len(FIRST_SENTENCES)], done=True)
        spent.append(watch.read())
    print(f"First sentence to sound: processor time {median([each.cpu for each in spent]) * 1000:.0f} ms (median)")
    goals.at_most("first sentence to sound, median", median([each.wall for each in spent]) * 1000, 400, " ms")


async def answer_aloud(server: Process, question: bytes) -> tuple[float, float]:
    """Ask a spoken question; return the seconds from its end to the words, and to the answer's first sound."""
    conversation = (await call(server.port, "POST", "/api/conversations", {}))["id"]
    await call(server.port, "POST", "/api/prefill", {"conversation": conversation, "spoken": True})
    ended = time.perf_counter()
    await asyncio.sleep(LISTEN_PAUSE_S)
    text = await hear(server, question, "en")
    recognized = time.perf_counter() - ended
    end_s = SENTENCE_END_S if text.endswith((".", "?", "!")) else OPEN_END_S
    await asyncio.sleep(max(0.0, end_s - recognized))
    body = {"text": text, "spoken": True}
    exchange = await begin(server.port, "POST", f"/api/conversations/{conversation}/turns", body, accept=SSE)
    reply = asyncio.ensure_future(exchange.reply())
    asked = ""
    while True:
        done = reply.done()
        so_far = native_message(exchange.came).text if exchange.came.count(b"\n\n") > 1 else ""
        if so_far != asked or done:
            asked = so_far
            if await first_sound(server, so_far, done=done):
                heard = time.perf_counter() - ended
                await reply
                return recognized, heard
            if done:
                raise SystemExit(f"The answer to {text!r} has nothing to speak: {so_far!r}")
        await asyncio.sleep(0.01)


async def measure_conversation(server: Process, pico: Pico, rounds: int, goals: Goals) -> None:
    """Measure how long a person waits for the first sound of an answer."""
    found: list[tuple[float, float]] = []
    for number in range(rounds):
        sound = pico.speak(QUESTIONS[number % len(QUESTIONS)], "en")
        found.append(await answer_aloud(server, to_wav(np.pad(sound, (0, int(LISTEN_PAUSE_S * PICO_RATE))))))
    print(f"End of speech to the words: {median([words for words, _ in found]):.2f} s (median)")
    goals.at_most("end of speech to first sound, median", median([heard for _, heard in found]), 1.5, " s")


async def speak_naturally(server: Process, text: str, language: str, number: int) -> Sound:
    """Speak with one of the natural voices of a language, by its number."""
    voices = [voice.id for voice in VOICES if voice.language == language and voice.is_natural]
    body = {"model": "kokoro", "input": text, "voice": voices[number % len(voices)], "response_format": "pcm"}
    reply = await (await begin(server.port, "POST", "/v1/audio/speech", body)).reply()
    if reply.status != 200:
        raise SystemExit(f"The sentence was not spoken: {reply.status} {reply.body[:200]!r}")
    sound = np.frombuffer(reply.body, "<i2") / 32768
    places = np.arange(int(len(sound) * PICO_RATE / SAMPLE_RATE)) * (SAMPLE_RATE / PICO_RATE)
    return np.interp(places, np.arange(len(sound)), sound).astype(np.float32)


async def measure_errors(server: Process, pico: Pico, count: int, goals: Goals) -> None:
    """Measure the share of words that are misheard, by language and voice."""
    rows: list[tuple[str, ...]] = []
    for language, sentences in SENTENCES.items():
        has_natural = any(voice.is_natural for voice in VOICES if voice.language == language)
        for kind_of_voice in ("natural", "pico") if has_natural else ("pico",):
            words, wrong, worst = 0, {"clean": 0, "noise": 0}, (0, "")
            for number, sentence in enumerate(sentences[:count]):
                if kind_of_voice == "pico":
                    sound = pico.speak(sentence, language)
                else:
                    sound = await speak_naturally(server, sentence, language, number)
                words += len(sentence.split())
                for kind, heard_sound in (
                    ("clean", np.pad(sound, PICO_RATE // 2)),
                    ("noise", with_noise(sound, number)),
                ):
                    heard = await hear(server, to_wav(heard_sound))
                    errors, _ = word_errors(sentence, heard)
                    wrong[kind] += errors
                    worst = max(worst, (errors, heard))
            clean, noisy = (f"{100 * wrong[kind] / words:.0f} %" for kind in ("clean", "noise"))
            rows.append((language, kind_of_voice, clean, noisy, worst[1]))
            if kind_of_voice == "natural" or not has_natural:
                goals.at_most(f"words misheard in noise, {language}", 100 * wrong["noise"] / words, 10, " %")
    table(("language", "voice", "misheard", "in noise", "the worst sentence as heard"), rows)


async def measure_speed(server: Process, pico: Pico, goals: Goals) -> None:
    """Measure recognition against real time, alone and while an answer is written."""
    pause = np.zeros(PICO_RATE, np.float32)
    sound = np.concatenate([part for text in SENTENCES["en"] for part in (pico.speak(text, "en"), pause)])
    seconds = len(sound) / PICO_RATE
    recording = to_wav(sound)
    watch = Stopwatch(server)
    await hear(server, recording, "en")
    alone = watch.read()
    conversation = (await call(server.port, "POST", "/api/conversations", {}))["id"]
    body = {"text": "Tell me a very long story about a lighthouse.", "max_tokens": 2000}
    exchange = await begin(server.port, "POST", f"/api/conversations/{conversation}/turns", body, accept=SSE)
    await asyncio.sleep(1.0)
    began = time.perf_counter()
    await hear(server, recording, "en")
    beside = time.perf_counter() - began
    exchange.abort()
    print(f"{seconds:.0f} s of sound: processor time {alone.cpu / seconds:.2f} of real time")
    goals.at_most("recognition of real time, alone", alone.wall / seconds, 0.3)
    goals.at_most("recognition of real time, while an answer is written", beside / seconds, 0.3)


async def main() -> None:
    arguments = options(__doc__ or "").parse_args()
    quick: bool = arguments.quick
    own = Settings().data_dir
    if not (ListeningParts(own).is_ready and SpeakingParts(own).is_ready):
        raise SystemExit("The parts of speech are not there; `eclair speech install` and `… speaking` fetch them.")
    goals = Goals()
    pico = Pico()
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        (data / "speech").symlink_to(own / "speech")
        async with eclair(data, ECLAIR_EMBEDDED="true") as server:
            # The first of each loads what speaks, hears and answers, as the beginning of a conversation by voice does.
            await first_sound(server, "Good morning.", done=True)
            await measure_reading(server, 3 if quick else 12, goals)
            await hear(server, to_wav(pico.speak(QUESTIONS[0], "en")), "en")
            await measure_errors(server, pico, 1 if quick else len(SENTENCES["en"]), goals)
            await answer_aloud(server, to_wav(pico.speak(QUESTIONS[0], "en")))
            await measure_conversation(server, pico, 2 if quick else 8, goals)
            await measure_speed(server, pico, goals)
    goals.print()


if __name__ == "__main__":
    run(main())

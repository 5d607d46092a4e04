// Plays one sound at a time, and speaks with the voices that the system has itself.

/** Some browsers break off long speech, so that it is spoken in pieces. */
const MAX_UTTERANCE_CHARS = 300;

export class SoundPlayer {
  readonly #audio = new Audio();
  #heard: "nothing" | "sound" | "voice" = "nothing";

  /** How much faster than recorded it plays; the pitch stays. */
  set rate(rate: number) {
    this.#audio.defaultPlaybackRate = this.#audio.playbackRate = rate;
  }

  /** Play a sound to its end, or until it is aborted. Throws DOMException where the browser refuses. */
  async play(sound: Blob, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#heard = "sound";
    const address = URL.createObjectURL(sound);
    const audio = this.#audio;
    try {
      await new Promise<void>((resolve, reject) => {
        const end = () => resolve();
        audio.onended = end;
        audio.onerror = () => reject(new DOMException(audio.error?.message ?? "", "EncodingError"));
        signal.addEventListener("abort", end, { once: true });
        audio.src = address;
        // A pause rejects a play that has not begun; it goes on with `resume`.
        audio.play().catch((error: unknown) => {
          if (!(error instanceof DOMException && error.name === "AbortError")) reject(error);
        });
      });
    } finally {
      this.#heard = "nothing";
      audio.pause();
      audio.onended = audio.onerror = null;
      URL.revokeObjectURL(address);
    }
  }

  /** Speak a text with a voice of the system, to its end or until it is aborted. */
  async utter(text: string, voice: SpeechSynthesisVoice, rate: number, signal: AbortSignal): Promise<void> {
    this.#heard = "voice";
    const end = () => speechSynthesis.cancel();
    signal.addEventListener("abort", end, { once: true });
    try {
      for (const piece of text.match(new RegExp(`[^]{1,${MAX_UTTERANCE_CHARS}}(?!\\S)|[^]{1,${MAX_UTTERANCE_CHARS}}`, "g")) ?? []) {
        if (signal.aborted) return;
        await new Promise<void>((resolve) => {
          const utterance = new SpeechSynthesisUtterance(piece);
          utterance.voice = voice;
          utterance.lang = voice.lang;
          utterance.rate = rate;
          utterance.onend = utterance.onerror = () => resolve();
          speechSynthesis.speak(utterance);
        });
      }
    } finally {
      this.#heard = "nothing";
      signal.removeEventListener("abort", end);
    }
  }

  pause(): void {
    if (this.#heard === "voice") speechSynthesis.pause();
    else this.#audio.pause();
  }

  resume(): void {
    if (this.#heard === "voice") speechSynthesis.resume();
    else if (this.#heard === "sound") void this.#audio.play();
  }
}

/** Some browsers list the system's voices a moment after they were first asked for. */
const VOICES_TIMEOUT_MS = 500;
let voices: Promise<unknown> | null = null;

/** Wait until the system's voices are listed. */
export async function loadSystemVoices(): Promise<void> {
  if (!("speechSynthesis" in globalThis) || speechSynthesis.getVoices().length > 0) return;
  voices ??= new Promise((resolve) => {
    speechSynthesis.addEventListener("voiceschanged", resolve, { once: true });
    setTimeout(resolve, VOICES_TIMEOUT_MS);
  });
  await voices;
}

/** A voice of the system for a language (ISO 639-1). Those that send the text away are none. */
export function systemVoice(language: string | null): SpeechSynthesisVoice | null {
  if (!("speechSynthesis" in globalThis)) return null;
  const local = speechSynthesis.getVoices().filter(({ localService }) => localService);
  const speaks = language === null ? local : local.filter(({ lang }) => lang.toLowerCase().split(/[-_]/)[0] === language);
  return speaks.find((voice) => voice.default) ?? speaks[0] ?? null;
}

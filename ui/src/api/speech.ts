// Speech: its parts, which are installed when they are wanted.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

/** The parts of speech, each with its state. */
export type SpeechParts = Reply<"/api/speech/parts", "get">;

/** The words recognized in a recording so far. */
export type DictatedText = Reply<"/api/speech/dictation", "post">;

/** The languages (ISO 639-1) that a person may speak. */
export interface SpokenLanguages {
  /** The one that is spoken, as chosen; empty where it is to be recognized. */
  readonly chosen: string;
  /** Languages that the person probably speaks; they help to recognize single words. */
  readonly likely: readonly string[];
}

/** The voices, and whether they are installed. */
export type Voices = Reply<"/api/speech/voices", "get">;

export type Voice = Voices["voices"][number];

/** The models that can transcribe recordings, and which one does. */
export type RecognizerList = Reply<"/api/speech/recognizers", "get">;

export type Recognizer = RecognizerList["recognizers"][number];

/** A sentence to speak, its place in the Markdown, and its voice; null where none speaks its language. */
export type SpokenSentence = Reply<"/api/speech/sentences", "post">["sentences"][number];

/** The name of a part. */
export type SpeechPart = keyof SpeechParts;

export class Speech extends Resource {
  parts(): Promise<SpeechParts> {
    return this.client.call("GET", "/api/speech/parts");
  }

  async install(part: SpeechPart): Promise<void> {
    await this.client.call("POST", `/api/speech/parts/${part}`);
  }

  recognizers(): Promise<RecognizerList> {
    return this.client.call("GET", "/api/speech/recognizers");
  }

  /** Choose the model that transcribes recordings, by its id; `auto` is the largest one on the server's machine. */
  chooseRecognizer(transcriber: string): Promise<RecognizerList> {
    return this.client.call("PUT", "/api/speech/recognizers", { transcriber });
  }

  /** Recognizes a recording, finished or not, from `after` seconds on; a `partial` one lacks sound before that. */
  dictate(recording: File, { chosen, likely }: SpokenLanguages, after: number, signal: AbortSignal, partial = false): Promise<DictatedText> {
    const query = new URLSearchParams({ after: String(after), ...(partial && { partial: "true" }), ...(chosen !== "" && { language: chosen }) });
    for (const language of likely) query.append("likely", language);
    return this.client.upload(`/api/speech/dictation?${query}`, recording, () => undefined, signal);
  }

  /** Have the model loaded before there is something to hear. */
  async warmDictation(): Promise<void> {
    await this.client.call("POST", "/api/speech/dictation/warm");
  }

  voices(): Promise<Voices> {
    return this.client.call("GET", "/api/speech/voices");
  }

  /** The sentences to speak of Markdown so far, from `start` on; the last one waits for its end unless it is `done`. */
  async sentences(body: Body<"/api/speech/sentences", "post">, signal: AbortSignal): Promise<readonly SpokenSentence[]> {
    const found = await this.client.call<Reply<"/api/speech/sentences", "post">>("POST", "/api/speech/sentences", body, signal);
    return found.sentences;
  }

  /** An MP3 of a sentence. */
  async sound(body: Body<"/api/speech/sound", "post">, signal: AbortSignal): Promise<Blob> {
    const response = await this.client.request("POST", "/api/speech/sound", body, signal);
    return response.blob();
  }

  /** A whole text as one MP3, which arrives sentence by sentence. */
  file(body: Body<"/api/speech/file", "post">, signal: AbortSignal): Promise<Response> {
    return this.client.request("POST", "/api/speech/file", body, signal);
  }

  cancel(part: SpeechPart): Promise<void> {
    return this.client.call("DELETE", `/api/speech/parts/${part}/installation`);
  }

  async remove(part: SpeechPart): Promise<void> {
    await this.client.call("DELETE", `/api/speech/parts/${part}`);
  }
}

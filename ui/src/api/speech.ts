// Speech: its parts, which are installed when they are wanted.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** The parts of speech, each with its state. */
export type SpeechParts = Reply<"/api/speech/parts", "get">;

/** The words recognized in a recording so far. */
export type DictatedText = Reply<"/api/speech/dictation", "post">;

/** The name of a part. */
export type SpeechPart = keyof SpeechParts;

export class Speech extends Resource {
  parts(): Promise<SpeechParts> {
    return this.client.call("GET", "/api/speech/parts");
  }

  async install(part: SpeechPart): Promise<void> {
    await this.client.call("POST", `/api/speech/parts/${part}`);
  }

  /** Recognizes a recording, finished or not, from `after` seconds on. Without a language, it is detected. */
  dictate(recording: File, language: string, after: number, signal: AbortSignal): Promise<DictatedText> {
    const query = new URLSearchParams({ after: String(after), ...(language !== "" && { language }) });
    return this.client.upload(`/api/speech/dictation?${query}`, recording, () => undefined, signal);
  }

  cancel(part: SpeechPart): Promise<void> {
    return this.client.call("DELETE", `/api/speech/parts/${part}/installation`);
  }

  async remove(part: SpeechPart): Promise<void> {
    await this.client.call("DELETE", `/api/speech/parts/${part}`);
  }
}

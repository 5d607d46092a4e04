// Files on their way into a message: each is read here, and handed on as text.

import { say } from "../i18n/say.ts";
import { type Attached, check, MOST_FILES, readText, Unreadable } from "./files.ts";

export interface Reading {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  /** From 0 to 1. */
  readonly share: number;
}

export interface Receiver {
  /** How many files the message has already. */
  count(): number;
  attach(file: Attached): void;
  /** Told what could not be read, in sentences. */
  refuse(problem: string): void;
}

export class Attaching {
  reading = $state.raw<readonly Reading[]>([]);
  readonly #receiver: Receiver;
  readonly #readers = new Map<string, AbortController>();

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
  }

  /** Read them all; those that cannot be read are named in one go. */
  async add(files: readonly File[]): Promise<void> {
    const problems = new Set<string>();
    const fits: File[] = [];
    for (const file of files) {
      try {
        check(file);
        if (fits.length + this.#receiver.count() + this.reading.length >= MOST_FILES) {
          throw new Unreadable(say("filesMany", { count: MOST_FILES }));
        }
        fits.push(file);
      } catch (error) {
        problems.add(sentence(error));
      }
    }
    if (problems.size > 0) this.#receiver.refuse([...problems].join(" "));
    for (const problem of await Promise.all(fits.map((file) => this.#read(file)))) if (problem !== null) problems.add(problem);
    if (problems.size > 0) this.#receiver.refuse([...problems].join(" "));
  }

  /** Text that was pasted, as if it had been a file. */
  take(text: string): void {
    const name = `${say("pastedName")}.txt`;
    this.#receiver.attach({ id: fileId(), name, size: new TextEncoder().encode(text).length, text });
  }

  cancel(id: string): void {
    this.#readers.get(id)?.abort();
  }

  cancelAll(): void {
    for (const reader of this.#readers.values()) reader.abort();
  }

  async #read(file: File): Promise<string | null> {
    const { name, size } = file;
    const id = fileId();
    const reader = new AbortController();
    this.#readers.set(id, reader);
    this.reading = [...this.reading, { id, name, size, share: 0 }];
    const progress = (share: number) => {
      this.reading = this.reading.map((one) => (one.id === id ? { ...one, share } : one));
    };
    try {
      const text = await readText(file, progress, reader.signal);
      this.#receiver.attach({ id, name, size, text });
      return null;
    } catch (error) {
      return reader.signal.aborted ? null : sentence(error);
    } finally {
      this.#readers.delete(id);
      this.reading = this.reading.filter((one) => one.id !== id);
    }
  }
}

function sentence(error: unknown): string {
  if (error instanceof Unreadable) return error.message;
  throw error;
}

function fileId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(36)).join("");
}

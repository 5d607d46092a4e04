// Text files become part of a message; what cannot be read is refused with a sentence.

import { number, say } from "../i18n/say.ts";

/** Bytes of one file. */
export const LARGEST_FILE = 256 * 1024;
export const MOST_FILES = 10;

/** A text that goes along with a message. `size` is in bytes. */
export interface Attached {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly text: string;
}

/** A file that cannot go along; the message is for people. */
export class Unreadable extends Error {}

const DOCUMENT = /^application\/(pdf|msword|rtf|epub|vnd\.(ms-|openxmlformats|oasis|apple))/;
const DOCUMENT_NAME = /\.(pdf|docx?|xlsx?|pptx?|od[tspg]|rtf|epub|pages|numbers|key)$/i;
const PICTURE_NAME = /\.(png|jpe?g|gif|webp|avif|heic|heif|bmp|tiff?|ico|psd|raw)$/i;
const RECORDING_NAME = /\.(mp3|wav|ogg|opus|flac|m4a|aac|mp4|mov|mkv|webm|avi)$/i;
/** The language name of a fence, where it is not the ending itself. */
const FENCES: Readonly<Record<string, string>> = { txt: "text", text: "text", log: "text", md: "markdown", htm: "html", yml: "yaml" };

/** Throws Unreadable for what need not be opened to know that it cannot be read. */
export function check({ name, type, size }: { name: string; type: string; size: number }): void {
  if (DOCUMENT.test(type) || DOCUMENT_NAME.test(name)) throw new Unreadable(say("fileDocument", { name }));
  const picture = type.startsWith("image/") && type !== "image/svg+xml";
  if (picture || PICTURE_NAME.test(name)) throw new Unreadable(say("filePicture", { name }));
  if (/^(audio|video)\//.test(type) && !/\.ts$/i.test(name)) throw new Unreadable(say("fileRecording", { name }));
  if (RECORDING_NAME.test(name)) throw new Unreadable(say("fileRecording", { name }));
  if (size > LARGEST_FILE) throw new Unreadable(say("fileLarge", { name, size: bytes(size), limit: bytes(LARGEST_FILE) }));
  if (size === 0) throw new Unreadable(say("fileEmpty", { name }));
}

/** The file's text. `progress` hears the share that is read. Throws Unreadable; rejects when `signal` aborts. */
export async function readText(file: File, progress: (share: number) => void, signal: AbortSignal): Promise<string> {
  check(file);
  const data = new Uint8Array(file.size);
  let read = 0;
  const reader = file.stream().getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) break;
      data.set(value, read);
      read += value.length;
      progress(read / file.size);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DOMException || error instanceof RangeError) throw new Unreadable(say("fileBroken", { name: file.name }));
    throw error;
  }
  const text = decode(data.subarray(0, read));
  if (text === null) throw new Unreadable(say("fileBinary", { name: file.name }));
  return text;
}

/** Text in UTF-8, in UTF-16 with its mark, or as older Western programs write it; null for what is no text. */
export function decode(data: Uint8Array): string | null {
  const encoding = data[0] === 0xff && data[1] === 0xfe ? "utf-16le" : data[0] === 0xfe && data[1] === 0xff ? "utf-16be" : "utf-8";
  const text = decoded(data, encoding) ?? decoded(data, "windows-1252") ?? "";
  return /[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? null : text.replace(/\r\n?/g, "\n");
}

/** The message as it is sent: the words, then each file in a fence under its name. */
export function compose(text: string, files: readonly Attached[]): string {
  return [text, ...files.map(fenced)].filter((part) => part !== "").join("\n\n");
}

/** A message that `compose` made: its words, and the files at its end. */
export function decompose(message: string): { readonly text: string; readonly files: readonly Omit<Attached, "id">[] } {
  for (const { index } of message.matchAll(/^(?=[^\n]+:\n```)/gm)) {
    const files = fencedFrom(message, index);
    if (files !== null) return { text: message.slice(0, index).replace(/\n\n$/, ""), files };
  }
  return { text: message, files: [] };
}

/** A size as people read it. */
export function bytes(size: number): string {
  const [value, unit] =
    size < 1000 ? [size, "byte"] : size < 1000 * 1024 ? [size / 1024, "kilobyte"] : [size / 1024 / 1024, "megabyte"];
  return number(value, { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 });
}

function fenced({ name, text }: Attached): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${name}:\n${fence}${languageOf(name)}\n${text.replace(/\n$/, "")}\n${fence}`;
}

/** The files of which a message consists from here on; null where it holds anything else. */
function fencedFrom(message: string, start: number): Omit<Attached, "id">[] | null {
  const files: Omit<Attached, "id">[] = [];
  const next = /([^\n]+):\n(`{3,})(\w+)\n((?:.*\n)*?)\2(?:\n\n|$)/y;
  next.lastIndex = start;
  while (next.lastIndex < message.length) {
    const [, name, , language, text] = next.exec(message) ?? [];
    if (name === undefined || text === undefined || language !== languageOf(name)) return null;
    files.push({ name, size: new TextEncoder().encode(text).length, text });
  }
  return files;
}

function languageOf(name: string): string {
  const ending = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? "text";
  return FENCES[ending] ?? ending;
}

function decoded(data: Uint8Array, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(data);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

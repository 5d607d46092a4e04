// Old messages carry their files as text: each in a fence under its name, at the end of the message.

/** The language names of fences that differ from the file extension. */
const FENCES: Readonly<Record<string, string>> = { txt: "text", text: "text", log: "text", md: "markdown", htm: "html", yml: "yaml" };

export interface FencedFile {
  readonly name: string;
  readonly text: string;
  /** In bytes. */
  readonly size: number;
}

/** Split a message into its text and the files at its end. */
export function splitFencedFiles(message: string): { readonly text: string; readonly files: readonly FencedFile[] } {
  for (const { index } of message.matchAll(/^(?=[^\n]+:\n```)/gm)) {
    const files = fencedFrom(message, index);
    if (files !== null) return { text: message.slice(0, index).replace(/\n\n$/, ""), files };
  }
  return { text: message, files: [] };
}

/** The files that the rest of a message consists of; null where it contains anything else. */
function fencedFrom(message: string, start: number): FencedFile[] | null {
  const files: FencedFile[] = [];
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

// What a call of `run_python` was given and returned, out of the parts of a message; tools/run_python.py writes the form.

export interface MadeFile {
  readonly name: string;
  readonly media: string;
  readonly version: number;
  readonly size: number;
  /** What a chart shows. */
  readonly alt: string;
}

export interface PythonResult {
  readonly output: string;
  /** A traceback. */
  readonly error: string;
  /** A sentence in English that came instead. */
  readonly sentence: string;
  /** The line of the error. */
  readonly line: number | null;
  /** Variables of earlier code were gone. */
  readonly lost: boolean;
  /** The data tool that was missing. */
  readonly wants: string | null;
  readonly files: readonly MadeFile[];
}

const FILES = "\n\nFiles made:";
const FILE = /^- (.+) \(([^ ()]+), version (\d+), (\d+) bytes\)(?:: (.*))?$/;
/** Files that nothing here reads: archives that are not unpacked, databases, and formats of programs. */
const UNREADABLE = /\.(7z|rar|tar|t?gz|bz2|xz|zst|exe|dll|so|db|sqlite3?|pkl|pickle|npy|npz|parquet|feather|arrow|h5|hdf5|bin|dat|wasm|ttf|otf|woff2?)$/i;
const MAX_SHOWN_BYTES = 8_000_000;
const MAX_DRAWING_BYTES = 1_000_000;

/** The code in the arguments of a call, which may be still growing. */
export function pythonCode(text: string): string {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === "object" && found !== null && "code" in found ? String(found.code).trim() : "";
  } catch {
    return ""; // not all of it has come
  }
}

/** A result, out of the text that the model read. */
export function pythonResult(text: string): PythonResult {
  const end = `\n\n${text}`.lastIndexOf(FILES);
  const body = end < 0 ? text : text.slice(0, Math.max(0, end - 2));
  const files = end < 0 ? [] : text.slice(end).split("\n").flatMap(madeFile);
  const at = body.startsWith("Error") ? 0 : body.lastIndexOf("\n\nError");
  const failed = at >= 0 && /^\s*Error(?: in line \d+)?:\n/.test(body.slice(at));
  const output = /(?:^|\n\n)Output:\n/.exec(failed ? body.slice(0, at) : body);
  const before = failed ? body.slice(0, at) : body;
  const fault = failed ? body.slice(at).trimStart() : "";
  const [head = "", ...rest] = fault.split("\n");
  const [error = ""] = rest.join("\n").split("\n\nNote: ");
  const line = Number(/line (\d+)/.exec(head)?.[1] ?? 0) || null;
  const isSentence = line === null && !error.includes("\n");
  return {
    output: output === null ? "" : before.slice(output.index + output[0].length).replace(/^\(nothing\)$/, ""),
    error: isSentence ? "" : error,
    sentence: failed || output !== null ? (isSentence ? error : "") : body.replace(/^Error: /, ""),
    line,
    lost: body.startsWith("Note: The variables of earlier calls are gone"),
    wants: /\n\nNote: (\S+) is not installed here\./.exec(body)?.[1] ?? null,
    files,
  };
}

/** The files to show as they are: pictures that are not too large, and drawings that are there as no other picture. */
export function shownFiles(files: readonly MadeFile[]): readonly MadeFile[] {
  const pictures = files.filter(({ media, size }) => /^image\/(png|jpeg|webp)$/.test(media) && size <= MAX_SHOWN_BYTES);
  const shown = new Set(pictures.map(({ name }) => stem(name)));
  const drawings = files.filter(({ media, size, name }) => media === "image/svg+xml" && size <= MAX_DRAWING_BYTES && !shown.has(stem(name)));
  return [...pictures, ...drawings];
}

/** True for a file that can be read once it is attached to a message. */
export function isAttachable({ name, size }: MadeFile): boolean {
  return size > 0 && !UNREADABLE.test(name);
}

function stem(name: string): string {
  return name.replace(/\.[^./]*$/, "");
}

function madeFile(text: string): MadeFile[] {
  const found = FILE.exec(text);
  if (found === null) return [];
  const [, name = "", media = "", version = "", size = "", alt = ""] = found;
  if (name.split("/").some((part) => ["", ".", ".."].includes(part))) return []; // its address would be another
  return [{ name, media, version: Number(version), size: Number(size), alt }];
}

// Packs the files of a folder as a zip, uncompressed, so that the server gets a folder as it gets a zip.

interface Entry {
  readonly name: Uint8Array;
  readonly data: Uint8Array<ArrayBuffer>;
  readonly crc: number;
}

/** Names in UTF-8. */
const FLAGS = 0x0800;
const VERSION = 20;
/** The first day that a zip can have. */
const DAY = 0x21;

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

export function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Files of a folder, by their paths in it; what is hidden is left out. */
export async function zipFolder(files: readonly File[], name: string): Promise<File> {
  const shown = files.filter((file) => !pathOf(file).split("/").some((part) => part.startsWith(".") || part === "__pycache__"));
  const entries = await Promise.all(
    shown.map(async (file) => {
      const data = new Uint8Array(await file.arrayBuffer());
      return { name: new TextEncoder().encode(pathOf(file)), data, crc: crc32(data) };
    }),
  );
  return new File([zip(entries)], name, { type: "application/zip" });
}

function pathOf(file: File): string {
  return file.webkitRelativePath || file.name;
}

function zip(entries: readonly Entry[]): Uint8Array<ArrayBuffer> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  for (const entry of entries) {
    const { name, data } = entry;
    directory.push(record(0x02014b50, [VERSION, VERSION], entry, [0, 0, 0, 0, 0, at & 0xffff, at >>> 16]));
    const local = record(0x04034b50, [VERSION], entry, []);
    pieces.push(local, data);
    at += local.length + data.length;
    if (name.length > 0xffff) throw new RangeError("the path is too long");
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const count = entries.length;
  const end = shorts(0x4b50, 0x0605, 0, 0, count, count, size & 0xffff, size >>> 16, at & 0xffff, at >>> 16, 0);
  return join([...pieces, ...directory, end]);
}

/** The header of a file: of its bytes, or in the directory, which says more. */
function record(signature: number, versions: readonly number[], { name, data, crc }: Entry, more: readonly number[]): Uint8Array<ArrayBuffer> {
  const sizes = [data.length & 0xffff, data.length >>> 16];
  const head = shorts(signature & 0xffff, signature >>> 16, ...versions, FLAGS, 0, 0, DAY, crc & 0xffff, crc >>> 16, ...sizes, ...sizes, name.length, 0, ...more);
  return join([head, new Uint8Array(name)]);
}

function shorts(...values: number[]): Uint8Array<ArrayBuffer> {
  const bytes = new DataView(new ArrayBuffer(2 * values.length));
  values.forEach((value, i) => bytes.setUint16(2 * i, value, true));
  return new Uint8Array(bytes.buffer);
}

function join(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

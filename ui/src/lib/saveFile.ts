// Saves a reply as a file, under the name that the server gave it.

export async function saveFile(response: Response): Promise<void> {
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = fileName(response.headers.get("Content-Disposition") ?? "");
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** The reply, with a callback for the bytes received so far. */
export function countBytes(response: Response, onProgress: (bytes: number) => void): Response {
  let bytes = 0;
  const count = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, to) {
      bytes += piece.byteLength;
      onProgress(bytes);
      to.enqueue(piece);
    },
  });
  return new Response(response.body?.pipeThrough(count) ?? null, response);
}

/** The name in a Content-Disposition; the extended one is preferred (RFC 6266). */
export function fileName(disposition: string): string {
  const extended = /filename\*=UTF-8''([^;]+)/i.exec(disposition)?.[1];
  if (extended !== undefined) return decodeURIComponent(extended);
  return /filename="([^"]+)"/i.exec(disposition)?.[1] ?? "eclair";
}

// Identifiers that sort by time, in the server's format: 48 bits of milliseconds, 80 random bits.

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

export function newId(prefix: "conv" | "msg", now = Date.now()): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  let time = "";
  for (let rest = now, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = ALPHABET.charAt(rest % 32) + time;
  let noise = "";
  for (const byte of random) noise += ALPHABET.charAt(byte % 32);
  return `${prefix}_${time}${noise}`;
}

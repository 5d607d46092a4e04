// Seeded random numbers for property tests.

export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** `text` cut into random pieces, short and long. */
export function* pieces(text: string, next: () => number): Generator<string> {
  const longest = 1 + Math.floor(next() * 40);
  for (let at = 0; at < text.length; ) {
    const length = 1 + Math.floor(next() * longest);
    yield text.slice(at, at + length);
    at += length;
  }
}

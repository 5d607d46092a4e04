// Fuzzy matching: each word of the query must be in the text, whole or letter by letter, ignoring accents.

export interface Match {
  /** Higher is better. */
  readonly score: number;
  /** The matched ranges of the text, as [from, to), in order. */
  readonly ranges: readonly (readonly [number, number])[];
}

const WORD_SCORE = 100;
const WORD_START_SCORE = 60;
const INNER_SCORE = 30;
const SCATTERED_SCORE = 10;

/** Match `text` against `query`; null where it doesn't match. */
export function match(query: string, text: string): Match | null {
  const [plain, offsets] = fold(text);
  const ranges: [number, number][] = [];
  let score = 0;
  for (const word of fold(query)[0].split(/\s+/)) {
    if (word === "") continue;
    const found = substringMatch(word, plain) ?? scatteredMatch(word, plain);
    if (found === null) return null;
    score += found.score - plain.length / 1000;
    for (const [from, to] of found.ranges) ranges.push([offsets[from] ?? 0, offsets[to] ?? text.length]);
  }
  return { score, ranges: mergeRanges(ranges) };
}

function substringMatch(word: string, text: string): Match | null {
  let best: Match | null = null;
  for (let from = text.indexOf(word); from >= 0; from = text.indexOf(word, from + 1)) {
    const to = from + word.length;
    const score = isStart(text, from) ? (isStart(text, to) || to === text.length ? WORD_SCORE : WORD_START_SCORE) : INNER_SCORE;
    if (best === null || score > best.score) best = { score, ranges: [[from, to]] };
  }
  return best;
}

/** Match letters in order with gaps; letters that begin a word count more, gaps count less. */
function scatteredMatch(word: string, text: string): Match | null {
  const ranges: [number, number][] = [];
  let score = SCATTERED_SCORE;
  let from = 0;
  for (const letter of word) {
    const at = text.indexOf(letter, from);
    if (at < 0) return null;
    score += isStart(text, at) ? 2 : at === from ? 1 : -(at - from) / 10;
    ranges.push([at, at + letter.length]);
    from = at + letter.length;
  }
  return score > 0 ? { score, ranges } : null;
}

function isStart(text: string, at: number): boolean {
  return at === 0 || !/[\p{L}\p{N}]/u.test(text.charAt(at - 1)) || !/[\p{L}\p{N}]/u.test(text.charAt(at));
}

/** The text in lower case without accents, and for each position in it the one in `text`. */
function fold(text: string): [string, number[]] {
  let plain = "";
  const offsets: number[] = [];
  let at = 0;
  for (const letter of text) {
    const folded = letter.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    for (let i = 0; i < folded.length; i++) offsets.push(at);
    plain += folded;
    at += letter.length;
  }
  return [plain, offsets];
}

function mergeRanges(ranges: [number, number][]): [number, number][] {
  const sorted = ranges.toSorted(([a], [b]) => a - b);
  const merged: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

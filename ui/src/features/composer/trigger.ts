// Finds out whether the person is typing a command, a model or a library.

/** `/words` at the very beginning, or `@words` after white space, up to the caret. */
export interface Trigger {
  readonly kind: "command" | "mention";
  readonly words: string;
  /** Where it begins, including its sign. */
  readonly from: number;
}

export function findTrigger(text: string, caret: number): Trigger | null {
  const before = text.slice(0, caret);
  if (/^\/[^\s/]*$/.test(before) && /^(\s|$)/.test(text.slice(caret))) return { kind: "command", words: before.slice(1), from: 0 };
  const at = /(?:^|\s)@(\S*)$/.exec(before)?.[1];
  return at === undefined ? null : { kind: "mention", words: at, from: caret - at.length - 1 };
}

/** The items whose name matches, best first: at its start, at a word's start, anywhere, letter by letter. A slash before
 * the name doesn't count. */
export function matchOptions<T extends { readonly name: string }>(options: readonly T[], words: string): T[] {
  const ranked = options.map((option) => ({ option, rank: rank(option.name, words) })).filter(({ rank }) => rank < 4);
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({ option }) => option);
}

function rank(name: string, words: string): number {
  const [fullName, part] = [name.replace(/^\//, "").toLocaleLowerCase(), words.toLocaleLowerCase()];
  if (fullName.startsWith(part)) return 0;
  const at = fullName.indexOf(part);
  if (at > 0) return /[\p{L}\p{N}]/u.test(fullName.charAt(at - 1)) ? 2 : 1;
  let found = 0;
  for (const letter of fullName) if (letter === part.charAt(found)) found += 1;
  return found === part.length ? 3 : 4;
}

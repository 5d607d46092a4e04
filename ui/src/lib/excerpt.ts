// Excerpts of messages as plain text. U+E000 and U+E001 in them enclose matches, and stay.

const MARK = "[\uE000\uE001]*";
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/!?\[([^\]]*)\]\([^)\s]*\)?/g, "$1"], // links and images; the end of one may be cut off
  [/^\s*(?:```|~~~)[\w+-]*\s*$/gm, ""],
  [new RegExp(`^[ \\t]*(?:#{1,6}[ \\t]+|>[ \\t]?|[-*+][ \\t]+(?:\\[[ xX]\\][ \\t]+)?)(?=${MARK}\\S)`, "gm"), ""],
  [/^\s*\|?(?:\s*:?-{3,}:?\s*\|)+(?:\s*:?-{3,}:?\s*)?$/gm, ""],
  [/\s*\|\s*/g, " "],
  [new RegExp(`(\\*\\*|__|~~)(?=${MARK}\\S)`, "g"), ""],
  [/(\S)(?:\*\*|__|~~)/g, "$1"],
  [new RegExp(`(?<![\\w*\\uE001])[*_](?=${MARK}[^\\s*_])|(?<=[^\\s*_])[*_](?![\\w*\\uE000])`, "g"), ""],
  [/`+/g, ""],
  [/\[\^?\d+\]/g, ""],
  [/\s+/g, " "],
];

/** An excerpt without the marks of Markdown. */
export function plainExcerpt(excerpt: string): string {
  return PATTERNS.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), excerpt).trim();
}

// CSV (RFC 4180) that spreadsheets read as text and numbers.

/** What begins like a formula, but is a number with its unit. */
const NUMBER = /^[+-]?\d[\d.,\u00a0\u202f ’']*(?:e[+-]?\d+)?[ \u00a0\u202f]?[%‰€$£]?$/i;

/** A field. One that a spreadsheet would take for a formula begins with an apostrophe. */
export function csvField(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// The formats of a text, as the toolbar and the editor name them.

/** In the order of the toolbar. */
export const FORMATS = ["bold", "italic", "heading", "bullets", "numbers", "quote", "link", "code"] as const;
export type Format = (typeof FORMATS)[number];

/** The keys of formats, in the notation of shortcuts.ts. */
export const FORMAT_KEYS: Readonly<Partial<Record<Format, string>>> = { bold: "Mod+B", italic: "Mod+I", link: "Mod+K" };

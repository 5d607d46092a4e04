// Names of the commands that the toolbar and the keys of the rich-text editor run.

/** Marks and blocks that are given and taken away, in the order of the toolbar. */
export const FORMATS = ["bold", "italic", "strike", "code", "bullets", "numbers", "tasks", "quote", "link"] as const;
export type Format = (typeof FORMATS)[number];

/** Styles of a paragraph. */
export const STYLES = ["text", "heading1", "heading2", "heading3", "heading4", "heading5", "heading6", "codeBlock"] as const;
export type Style = (typeof STYLES)[number];

export const INSERTS = ["table", "rule", "image"] as const;
export type Insert = (typeof INSERTS)[number];

export const TABLE_EDITS = ["rowAbove", "rowBelow", "rowDelete", "columnBefore", "columnAfter", "columnDelete", "alignLeft", "alignCenter", "alignRight", "tableDelete"] as const;
export type TableEdit = (typeof TABLE_EDITS)[number];

export type Command = Format | Style | Insert | TableEdit;

/** The formats at the cursor, or of all that is selected. */
export interface FormatState {
  readonly formats: ReadonlySet<Format>;
  /** Null where there are several. */
  readonly style: Style | null;
  /** The edits of a table that can be made here; none outside of one. */
  readonly tableEdits: ReadonlySet<TableEdit>;
}

export const NO_FORMATS: FormatState = { formats: new Set(), style: "text", tableEdits: new Set() };

/** The address of a link or an image that is asked for, and its text. */
export interface LinkRequest {
  readonly kind: "link" | "image";
  readonly address: string;
  readonly text: string;
  /** There is one already, which can be taken away. */
  readonly exists: boolean;
}

/** The keys of formats, in the notation of shortcuts.ts. */
export const FORMAT_KEYS: Readonly<Partial<Record<Command, string>>> = { bold: "Mod+B", italic: "Mod+I", code: "Mod+E", link: "Mod+K" };

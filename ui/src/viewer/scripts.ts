// The scripts of an exported file that only some conversations need. Each sets one of these; a file without it shows
// what it would typeset or draw as text.

import type { Run } from "../lib/markdown/typesetting.ts";

export interface ViewerScripts {
  highlightCode?(grammar: string, text: string): Promise<readonly Run[]>;
  renderFormula?(tex: string, display: boolean): Promise<string>;
}

export const scripts: ViewerScripts = ((globalThis as { eclairViewer?: ViewerScripts }).eclairViewer ??= {});

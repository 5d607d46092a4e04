// Which canvas is shown next to the conversation: one that is stored, or a new one.

import type { NewCanvas } from "../api/canvases.ts";

export interface CanvasRequest {
  readonly conversation: string;
  /** The id of a stored one, or what a new one begins with. */
  readonly canvas: string | NewCanvas;
  /** Tells one opening from the next. */
  readonly key: string;
}

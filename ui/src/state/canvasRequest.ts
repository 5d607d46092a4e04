// Which canvas is shown next to the conversation: one that is stored, or a new one made of an answer.

export interface CanvasDraft {
  readonly title: string;
  readonly language: string;
  readonly text: string;
  /** The model that wrote the text. */
  readonly model: string | null;
}

export interface CanvasRequest {
  readonly conversation: string;
  /** The id of a stored one, or what a new one begins with. */
  readonly canvas: string | CanvasDraft;
  /** Tells one opening from the next. */
  readonly key: string;
}

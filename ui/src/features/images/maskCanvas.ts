// The canvas of a mask: strokes, undo, and the mask as a PNG.

const MAX_UNDO_STEPS = 12;

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Painted pixels are opaque, in any color; the rest is transparent. Lengths are pixels of the canvas. */
export class MaskCanvas {
  readonly #canvas: HTMLCanvasElement;
  readonly #pen: CanvasRenderingContext2D;
  readonly #history: ImageData[] = [];

  constructor(canvas: HTMLCanvasElement) {
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    if (pen === null) throw new Error("the browser draws no canvas");
    [this.#canvas, this.#pen] = [canvas, pen];
    pen.lineCap = pen.lineJoin = "round";
  }

  get steps(): number {
    return this.#history.length;
  }

  /** Begin a step that can be undone. */
  begin(): void {
    this.#history.push(this.#pixels());
    if (this.#history.length > MAX_UNDO_STEPS) this.#history.shift();
  }

  /** Draw a line, or a dot where both points are the same. */
  stroke(from: Point, to: Point, width: number, color: string, erases: boolean): void {
    this.#pen.globalCompositeOperation = erases ? "destination-out" : "source-over";
    this.#pen.strokeStyle = color;
    this.#pen.lineWidth = width;
    this.#pen.beginPath();
    this.#pen.moveTo(from.x, from.y);
    this.#pen.lineTo(to.x + 0.01, to.y); // a line without length isn't drawn
    this.#pen.stroke();
  }

  undo(): void {
    const last = this.#history.pop();
    if (last !== undefined) this.#pen.putImageData(last, 0, 0);
  }

  clear(): void {
    this.#pen.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
  }

  /** Paint the area that a mask leaves transparent. */
  load(mask: CanvasImageSource, color: string): void {
    const { width, height } = this.#canvas;
    this.#pen.globalCompositeOperation = "source-over";
    this.#pen.fillStyle = color;
    this.#pen.fillRect(0, 0, width, height);
    this.#pen.globalCompositeOperation = "destination-out";
    this.#pen.drawImage(mask, 0, 0, width, height);
  }

  /** The painted share of the image, from 0 to 1. */
  share(): number {
    const { data } = this.#pixels();
    let painted = 0;
    for (let i = 3; i < data.length; i += 4) painted += data[i] ?? 0;
    return (painted * 4) / 255 / data.length;
  }

  /** A PNG that is transparent where the canvas is painted. */
  async mask(): Promise<Blob> {
    const { width, height } = this.#canvas;
    const canvas = new OffscreenCanvas(width, height);
    const pen = canvas.getContext("2d");
    pen?.fillRect(0, 0, width, height);
    if (pen !== null) pen.globalCompositeOperation = "destination-out";
    pen?.drawImage(this.#canvas, 0, 0);
    return canvas.convertToBlob({ type: "image/png" });
  }

  #pixels(): ImageData {
    return this.#pen.getImageData(0, 0, this.#canvas.width, this.#canvas.height);
  }
}

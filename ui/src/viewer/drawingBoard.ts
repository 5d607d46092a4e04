// Stands for lib/markdown/drawingBoard.ts in an exported file: the script of the frame is in the file itself, as text.

export function fillDrawingBoard(frame: HTMLIFrameElement): void {
  const script = document.getElementById("diagrams")?.textContent ?? "";
  frame.srcdoc = `<!doctype html><title></title><body><script>${script}</script>`;
}

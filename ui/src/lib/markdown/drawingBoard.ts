// The page of the frame in which diagrams are drawn.

import { toAddress } from "../../api/address.ts";

export function fillDrawingBoard(frame: HTMLIFrameElement): void {
  frame.src = toAddress("/diagram");
}

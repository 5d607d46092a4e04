// Conversations that are dragged to a folder.

/** The type of the dragged data: ids, separated by spaces. */
export const DRAGGED = "application/x-eclair-conversations";

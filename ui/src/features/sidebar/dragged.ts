// Conversations that are dragged to a project.

/** The type of the dragged data: ids, separated by spaces. */
export const DRAGGED = "application/x-eclair-conversations";

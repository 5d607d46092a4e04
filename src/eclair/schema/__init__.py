"""Values that cross package boundaries: messages, events, documents, images and ids."""

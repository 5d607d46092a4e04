"""Values that cross packages: messages, events, documents, images, models, ids."""

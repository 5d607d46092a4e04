"""Skills: folders with instructions and files, which a model reads when a task calls for them."""

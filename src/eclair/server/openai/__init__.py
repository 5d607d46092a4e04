"""OpenAI's API: chat completions, responses, files, images, embeddings."""

"""GGUF files: headers, tensors and quantization."""

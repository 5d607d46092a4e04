"""Image backends: one module per service or engine, listed by the registry."""

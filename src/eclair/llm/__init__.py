"""Language models: the engine port, the registry, and a package per engine."""

"""Language models: the engine port, the registry, and one package per kind of engine."""

"""The parts that engines behind an HTTP API share: connections, retries, silence, refusals, event streams."""

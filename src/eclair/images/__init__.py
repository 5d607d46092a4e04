"""Image generation: requests, queue, gallery and backends."""

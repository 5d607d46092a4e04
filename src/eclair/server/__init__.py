"""The HTTP server: auth, lazy routes, and APIs that render events."""

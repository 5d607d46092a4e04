"""The only way out: policy, SSRF guard, HTTP client and egress log."""

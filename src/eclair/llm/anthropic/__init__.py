"""Engine behind Anthropic's Messages API."""

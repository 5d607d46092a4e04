"""Memory: sentences that a person keeps for later conversations."""

"""Research: sub-agents look into the questions of a plan; a report rests on their notes."""

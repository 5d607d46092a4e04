"""Research: a plan of questions and a report with sections."""

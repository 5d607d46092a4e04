"""Conversations on the move: out as files that people and programs can read, in from the exports of other programs."""

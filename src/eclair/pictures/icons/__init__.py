"""Icons: pictures by a small flow that comes with Éclair, for things that have an emoji, in German, French and English.

`train/` has what it was made with, and what it can and cannot do.
"""

"""Icons: a small flow model that comes with Éclair draws what has an emoji, in three languages."""

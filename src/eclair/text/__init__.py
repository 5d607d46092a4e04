"""Languages, sentences, words, facts and intents: all that depends on language."""

"""Languages, sentences, words, facts and intents: all that depends on how a language is written."""

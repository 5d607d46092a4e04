"""Languages, sentences, words, facts and intents: everything that depends on how a language is written."""

"""Text: languages, sentences, facts, search terms and the lexicon."""

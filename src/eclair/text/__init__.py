"""Languages, sentences, facts and search terms."""

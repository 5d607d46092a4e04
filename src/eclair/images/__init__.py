"""Pictures: made from words, or from other pictures and words, by whichever generator has the model; and kept."""

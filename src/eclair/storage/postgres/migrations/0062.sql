-- documents that lack vectors, in the order in which they get some, and those that have them, by what made them
CREATE INDEX document_unembedded ON document (priority DESC, number DESC) WHERE embedded < chunks;
CREATE INDEX document_of_embedder ON document (embedder, priority DESC, number DESC);

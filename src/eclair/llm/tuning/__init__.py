"""`eclair tune`: how a model runs fastest on this machine without answering worse."""

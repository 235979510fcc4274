"""vecsmith: reshape embedding vectors after the fact, and see what it costs."""

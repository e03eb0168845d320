"""The worker: from the stream to the two tables, exactly once."""

"""Publishing: what an actor has seen, on its way to the stream."""

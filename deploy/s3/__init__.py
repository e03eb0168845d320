"""A real S3 server on this machine, without Docker: for the tests, and for trying things out."""

"""A real Apache Kafka on this machine, without Docker: for the tests, and for trying things out."""

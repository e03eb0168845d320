"""Apache Spark with Delta Lake, in an environment of its own."""

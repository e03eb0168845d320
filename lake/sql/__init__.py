"""SQL over archives: DuckDB, reading the tables' own files and nothing else."""

from lake.sql.limits import QueryLimits
from lake.sql.names import QueryNames, query_names
from lake.sql.query import run_query
from lake.sql.result import QueryResult

__all__ = ["QueryLimits", "QueryNames", "QueryResult", "query_names", "run_query"]

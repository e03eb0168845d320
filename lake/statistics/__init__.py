"""Statistics of an archive by time range: kept day by day, and put together when they are asked for."""

"""Reports: pages that stand alone, and the plots in them."""

from replaylake.report.charts import (
    Bar,
    BarChart,
    ColumnChart,
    DotChart,
    Series,
    ShareChart,
    bar_chart,
    column_chart,
    dot_chart,
    share_chart,
)
from replaylake.report.page import render_page
from replaylake.report.svg import Drawing, Scale, nice_ticks

__all__ = [
    "Bar",
    "BarChart",
    "ColumnChart",
    "DotChart",
    "Drawing",
    "Scale",
    "Series",
    "ShareChart",
    "bar_chart",
    "column_chart",
    "dot_chart",
    "nice_ticks",
    "render_page",
    "share_chart",
]

"""Reports: pages that stand alone, and the plots in them."""

from replaylake.report.bands import Band, BandChart, CountChart, band_chart, count_chart
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
from replaylake.report.histograms import Histogram, distance, histogram
from replaylake.report.page import render_page
from replaylake.report.svg import Drawing, Scale, nice_ticks
from replaylake.report.trends import LineChart, Part, StackedChart, line_chart, stacked_chart

__all__ = [
    "Band",
    "BandChart",
    "Bar",
    "BarChart",
    "ColumnChart",
    "CountChart",
    "DotChart",
    "Drawing",
    "Histogram",
    "LineChart",
    "Part",
    "Scale",
    "Series",
    "ShareChart",
    "StackedChart",
    "band_chart",
    "bar_chart",
    "column_chart",
    "count_chart",
    "distance",
    "dot_chart",
    "histogram",
    "line_chart",
    "nice_ticks",
    "render_page",
    "share_chart",
    "stacked_chart",
]

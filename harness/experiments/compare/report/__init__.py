"""The report of a comparison: HTML, Markdown and PNG charts.

`data` gathers what it shows, `content` decides what its charts show, `png` and `plotly` draw them.
"""

__all__ = ["content", "data", "files", "plotly", "png", "tables"]

"""The charts of a run's report.

`content` decides what they show; `png` and `plotly` draw it in the style of `png_style` and
`plotly_style`, which comparisons use too. `palette` has the colours.
"""

__all__ = ["content", "palette", "plotly", "plotly_style", "png", "png_style"]

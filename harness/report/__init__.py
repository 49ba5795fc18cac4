"""A run folder becomes a picture that can be trusted: drawn from its files, as often as wanted.

Nothing here knows the time or the machine: the same files give the same bytes again. Importing it
brings matplotlib and plotly along, so a process that puts load on a server leaves it alone and
starts `python -m harness report` (see `harness.drawing`).

Inside, each module imports only from those named before it:

* `slices`: the seconds of a run, of any length, as a bounded number of points
* `material`: everything that is drawn, gathered from the folder once
* `palette`: the colours, light and dark
* `wording`: how numbers and foreign texts are written
* `tables`: the rows that the page and the Markdown have in common
* `contents`: what the charts show, on paper and on the page alike
* `looks`: the looks of the PNG files
* `charts`: PNG files, by matplotlib
* `traces`: the looks of the charts of the page
* `plots`: the charts of the page, with hover, by plotly
* `scaffold`: what every page has
* `page`: `report.html`
* `markdown`: `report.md`
* `junit`: `junit.xml`
* `writing`: all of them into the folder
"""

from harness.report.writing import draw

__all__ = ["draw"]

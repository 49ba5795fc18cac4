"""A run folder becomes a picture that can be trusted: drawn from its files, as often as wanted.

Nothing here knows the time or the machine: the same files give the same bytes again. `writing`
brings matplotlib and plotly along, so a process that puts load on a server leaves it alone and
starts `python -m harness report` (see `harness.drawing`).

Inside, each module imports only from those named before it:

* `material`: everything that is drawn, gathered from the folder once
* `palette`: the colours, light and dark
* `tables`: the rows that the page and the Markdown have in common
* `contents`: what the charts show, on paper and on the page alike
* `charts`: PNG files, by matplotlib
* `scaffold`: what pages and Markdown have in common, the live page too
* `plots`: the charts of the page, with hover, by plotly
* `writing`: `report.html`, `report.md`, `junit.xml` and all others, into the folder
"""

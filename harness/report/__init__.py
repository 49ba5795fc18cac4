"""Renders a run folder: HTML, Markdown, JUnit XML and PNG charts.

`run_data` gathers what a report shows, `tables` and `charts` lay it out, `html` renders the page,
`files` writes everything.

Invariants: the same files give the same report, byte for byte, so nothing here knows the time or
the machine. `files` imports matplotlib and plotly, so a process that generates load never imports
it, but starts `python -m harness report` (see `harness.run.report_process`).
"""

__all__ = ["files", "html", "run_data", "tables"]

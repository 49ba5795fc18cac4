"""A run folder becomes a report: drawn from its files, as often as wanted.

Nothing here knows the time or the machine: the same files give the same bytes again. `writing`
brings matplotlib and plotly along, so a process that puts load on a server leaves it alone and
starts `python -m harness report` (see `harness.drawing`).
"""

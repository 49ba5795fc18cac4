"""Records a run in progress, in the process that leads it.

`recorder` owns the run folder from start to summary. `manifest` describes the run. `merging` turns
the reports of all processes into seconds. `locust_files` writes Locust's own CSV and HTML files.
"""

from harness.run.record.recorder import Recorder

__all__ = ["Recorder"]

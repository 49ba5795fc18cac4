"""The run folder, results/RUN_ID, and everything computed from it, without importing Locust.

`run_folder` and `timeline` read and write the files. `figures` computes percentiles and finds the
steady state. `verdict` judges validity and objectives, `interim_verdict` does so during a run.
`judging` combines them. `formatting` and `rows` turn the result into text, once for the terminal,
the web page and the reports.

Invariant: the result is a function of the files.
"""

from harness.results.judging import judge
from harness.results.run_folder import Manifest, Summary, Verdict

__all__ = ["Manifest", "Summary", "Verdict", "judge"]

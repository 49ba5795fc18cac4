"""Measure, in each process of a run, every request, every failure, and the process itself.

`collector` listens to Locust's `request` event and makes one HDR histogram per endpoint and second
(`histograms`). `samples` defines the values that leave a process. `self_monitoring` measures the
generator itself, `gc_pauses` keeps it from pausing. Modules that import Locust are not imported
here.
"""

from harness.recording.samples import (
    ConnectionCounts,
    Failure,
    Interval,
    Key,
    ProcessSample,
    Report,
)

__all__ = ["ConnectionCounts", "Failure", "Interval", "Key", "ProcessSample", "Report"]

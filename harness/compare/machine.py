"""The machine that an experiment is made on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import psutil

from harness.compare.files import Machine


def machine() -> Machine:
    """Describe this machine."""
    return Machine(
        cpu=cpu_model(),
        cores=os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
    )


def cpu_model() -> str:
    """Return the name of the processor, or of its family where the system tells no more."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return model[1].strip() if model else platform.machine()

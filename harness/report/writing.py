"""Everything that is drawn, into the folder of a run: each file whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness import ConfigurationError, atomic, runfolder
from harness.report import charts, junit, markdown, page
from harness.report.material import gather
from harness.runfolder import Summary

CHARTS = "charts"


def draw(folder: Path) -> Summary:
    """Judge a run again by its files, and write its summary, charts and reports.

    Raises:
        ConfigurationError: it is no run, a file is missing or broken, or none can be written.
    """
    material = gather(folder)
    files = {f"{CHARTS}/{name}": picture for name, picture in charts.draw_all(material).items()}
    files |= {
        "report.html": page.render(material).encode(),
        "report.md": markdown.render(material).encode(),
        "junit.xml": junit.render(material),
    }
    with writable(folder):
        runfolder.write(folder, material.summary)
        write(folder, files)
    return material.summary


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their names in a folder, such as "charts/heatmap.png"."""
    with writable(folder):
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            atomic.write(folder / name, content)


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Say in one line that a folder cannot be written to."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot write to {folder}: {error.strerror}") from None

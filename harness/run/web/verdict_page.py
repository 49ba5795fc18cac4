"""The verdict page: the current state of a run, beside Locust's own web UI.

`/verdict` is the page, `/verdict/state` the same as JSON, `/verdict/files/…` what the last run
left. Locust's UI links to it in documented ways: a tab with a table, and a link under its
downloads.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from locust.web import WebUI

import msgspec
from flask import Blueprint, Response, abort, request, send_from_directory, url_for
from msgspec import Struct

from harness.report import html
from harness.results import rows
from harness.results.formatting import clock
from harness.results.interim_verdict import InterimVerdict, interim_verdict
from harness.results.run_folder import SUMMARY, Generator
from harness.run.record import Recorder

FILES = ("report.html", "report.md", "junit.xml", SUMMARY)
"""What a run leaves for people and for CI. Nothing else in its folder is served."""
TAB = "verdict"
COLUMNS = {"what": "What", "state": "State", "words": "In words"}
LOCUSTS_STATISTICS = "locust.request_stats"
NOT_STORED = {"Cache-Control": "no-store"}


class CurrentRun(NamedTuple):
    """The open run, or else the last one, and how many of its workers are lost."""

    recorder: Recorder | None
    lost_workers: int


class LiveFigures(Struct, frozen=True, kw_only=True):
    """What changes every second; CPU and lag are those of the last second."""

    elapsed_s: int
    users: int
    target_users: int
    requests_per_s: int | None
    cpu_percent: float | None
    lag_ms: float | None


class View(Struct, frozen=True, kw_only=True, rename={"interim_verdict": "standing"}):
    """Everything that the page shows; before the first run there is only a phase.

    In `/verdict/state` the interim verdict keeps the name that scripts know, `standing`.

    `written_s` is how many seconds of the run the figures cover.
    """

    phase: Literal["none", "running", "stopping", "over"]
    run_id: str = ""
    started_at: str = ""
    host: str = ""
    interim_verdict: InterimVerdict | None = None
    written_s: int = 0
    steady_s: int = 0
    requests: int = 0
    failures: int = 0
    generator: Generator | None = None
    carried_users: int | None = None
    steps: int = 0
    moment: LiveFigures | None = None
    files: list[str] = []


def install(web_ui: WebUI, current_run: Callable[[], CurrentRun], base_path: str | None) -> None:
    """Add the page to Locust's web UI, behind its login if there is one.

    `current_run` returns the run to show; `base_path` is Locust's `--web-base-path`.
    """
    assert web_ui.app is not None
    pages = Blueprint("verdict", __name__, url_prefix=f"{base_path or ''}/verdict")
    pages.before_request(web_ui.auth_required_if_enabled(lambda: None))

    @pages.get("")
    def page() -> Response:
        # No script but the page's own may run, whatever text a run contains.
        nonce = secrets.token_urlsafe()
        policy = (
            "default-src 'none'; connect-src 'self'; img-src 'self'; "
            f"style-src 'unsafe-inline'; script-src 'nonce-{nonce}'"
        )
        headers = {"Content-Security-Policy": policy, **NOT_STORED}
        return Response(render(view(current_run()), nonce), mimetype="text/html", headers=headers)

    @pages.get("/state")
    def state() -> Response:
        body = msgspec.json.encode(view(current_run()))
        return Response(body, mimetype="application/json", headers=NOT_STORED)

    @pages.get("/files/<name>")
    def file(name: str) -> Response:
        recorder = current_run().recorder
        if recorder is None or name not in served_files(recorder):
            abort(404)
        return send_from_directory(
            recorder.folder.resolve(),
            name,
            as_attachment=True,
            download_name=f"{recorder.folder.name}-{name}",
            max_age=0,
        )

    web_ui.app.register_blueprint(pages)
    _add_tab(web_ui, current_run)


def _add_tab(web_ui: WebUI, current_run: Callable[[], CurrentRun]) -> None:
    """Add a tab to Locust's UI, which fetches its rows along with the statistics."""
    assert web_ui.app is not None
    structure = [{"key": key, "title": title} for key, title in COLUMNS.items()]
    web_ui.template_args |= {
        "extended_tabs": [{"title": "Verdict", "key": TAB}],
        "extended_tables": [{"key": TAB, "structure": structure}],
        "extended_csv_files": [{"href": "./verdict", "title": "Verdict: live page and files"}],
    }

    @web_ui.app.after_request
    def add_rows(response: Response) -> Response:
        if request.endpoint == LOCUSTS_STATISTICS and response.is_json:
            address = url_for("verdict.page", _external=True)
            table = {"key": TAB, "data": tab_rows(view(current_run()), address)}
            response.set_data(json.dumps({**response.get_json(), "extended_stats": [table]}))
        return response


def served_files(recorder: Recorder) -> list[str]:
    """Return the files that a run has left and that are served."""
    is_over = recorder.summary is not None
    return [name for name in FILES if is_over and (recorder.folder / name).is_file()]


def view(current_run: CurrentRun) -> View:
    """Return the current state of a run."""
    recorder = current_run.recorder
    if recorder is None:
        return View(phase="none")
    moment = None
    if recorder.summary is None:
        runner, row = recorder.environment.runner, recorder.last_row
        assert runner is not None
        moment = LiveFigures(
            elapsed_s=max(int(time.time() - recorder.started_s), 0),
            users=runner.user_count,
            target_users=0 if recorder.is_stopping else runner.target_user_count,
            requests_per_s=row.requests if row else None,
            cpu_percent=row.cpu_percent if row else None,
            lag_ms=row.lag_ms if row else None,
        )
    summary = recorder.summary or recorder.interim_summary(current_run.lost_workers)
    return View(
        phase="stopping" if moment and recorder.is_stopping else "running" if moment else "over",
        run_id=summary.run_id,
        started_at=recorder.manifest.started_at,
        host=recorder.manifest.host,
        interim_verdict=interim_verdict(summary, is_over=moment is None),
        written_s=recorder.written_s if moment else int(summary.duration_s),
        steady_s=int(summary.steady_s),
        requests=summary.total.whole_run.requests,
        failures=summary.total.whole_run.failures,
        generator=summary.generator,
        carried_users=summary.carried_users,
        steps=len(summary.steps),
        moment=moment,
        files=served_files(recorder),
    )


def tab_rows(view: View, address: str) -> list[dict[str, str]]:
    """Return the rows of the tab in Locust's UI; `address` is that of the page."""
    found = view.interim_verdict
    if found is None:
        return []
    until = f"up to {clock(view.written_s)}; more at {address}"
    objectives = [
        (line.what, line.word, f"{line.value} (limit {line.limit})") for line in found.objectives
    ]
    rules = [(f"valid: {rule.name}", rule.word, rule.sentence) for rule in found.rules]
    lines = [("verdict", found.headline, until), *objectives, *rules]
    return [dict(zip(COLUMNS, line, strict=True)) for line in lines]


_TEMPLATE = html.environment("harness.run.web", is_page=True).get_template("verdict.html.jinja")


def render(view: View, nonce: str) -> str:
    """Return the page; its script carries the nonce, so that no other script runs."""
    found = view.interim_verdict
    return _TEMPLATE.render(
        view=view,
        nonce=nonce,
        carried=rows.carried(view.carried_users),
        objectives=found and rows.objectives_table(found.objectives),
        validity=found and rows.validity_table(found.rules),
    )

"""What the suite adds to Locust's web UI.

`verdict_page` shows the interim verdict of a run, `login` asks for a password, `form_guard` checks
the start form.
"""

__all__ = ["form_guard", "login", "verdict_page"]

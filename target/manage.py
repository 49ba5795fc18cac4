#!/usr/bin/env python
"""Django's command line for the notice server."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    """Run a command; report a wrong setting in one line and exit with code 2."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "noticeboard.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        print(f"manage.py: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()

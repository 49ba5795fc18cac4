"""Locustfiles of the bench, passed to Locust with `-f`."""

"""Shared test helpers: misbehaving servers, run folders, processes and networks."""

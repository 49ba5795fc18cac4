"""The only command: fill_database."""

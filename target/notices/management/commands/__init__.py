"""One command: seed_notices."""

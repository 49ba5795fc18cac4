"""Project of the notice server: settings, paths, WSGI entry point."""

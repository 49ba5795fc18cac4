"""The Django project of the notice server: settings, URLs, WSGI entry point."""

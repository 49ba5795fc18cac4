"""Settings for every start of the server; the command line sets workers, threads and address."""

# gunicorn would create this socket in the user's home or runtime directory; nothing here uses it.
control_socket_disable = True

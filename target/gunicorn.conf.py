"""What every start of the server shares; workers, threads and address are the caller's."""

# Nobody steers this server through it, and it would leave a file in the home directory.
control_socket_disable = True

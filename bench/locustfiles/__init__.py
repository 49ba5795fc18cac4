"""What Locust runs in the bench; each file is given to it with `-f`."""

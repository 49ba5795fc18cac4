"""What workers add in throughput, and what they cost the master: `python -m bench.distributed`.

Invariant: each module imports only from those listed before it.

* `messages`: counts of the messages between master and workers, as types
* `counter`: counts them in each process
* `results`: the results as types
* `cluster`: starts, reads and stops a real master with real workers
* `measuring`: takes the samples in rounds
* `text`: renders results as Markdown
* `chart`: draws results
"""

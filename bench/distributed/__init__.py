"""What distribution brings and costs: `python -m bench.distributed`.

Each module knows only those named before it:

* `messages`: counts what master and workers send each other;
* `results`: what was measured, as types;
* `cluster`: a master with its workers as real processes, looked at from outside;
"""

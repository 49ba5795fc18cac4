"""What distribution brings and what it costs: `python -m bench.distributed`.

Each module imports only from those named before it:

* `messages`: what master and workers send each other, in numbers;
* `counter`: counts it in each process;
* `results`: what was measured, as types;
* `cluster`: a real master with real workers, started, read and stopped;
* `measuring`: takes the samples in rounds;
* `text`: results as Markdown;
* `chart`: results as a picture.
"""

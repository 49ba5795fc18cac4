"""What distribution brings and costs: `python -m bench.distributed`.

Each module knows only those named before it:

* `messages`: what master and workers send each other, in numbers;
* `counter`: counts it in each process;
* `replay`: workers that only talk;
* `results`: what was measured, as types;
* `moments`: master and workers at two moments, and what lies between;
* `cluster`: a master with its workers as real processes, started, looked at, ended;
* `measuring`: takes the samples in rounds;
* `model`: what the master takes of its core, fitted, and where that ends;
* `text`: what was measured as Markdown;
* `master_text`: what the master costs;
* `model_text`: the model, and where one master ends;
* `chart`: as a picture.
"""

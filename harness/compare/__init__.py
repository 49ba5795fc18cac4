"""Which deployment carries more: an experiment of many runs, or two runs beside each other.

Inside, each module imports only from those named before it:

* `files`: results/COMPARE_ID as types
"""

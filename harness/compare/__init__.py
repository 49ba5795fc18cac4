"""Which deployment carries more: an experiment of many runs, and its report.

`experiment` makes the runs, `judging` computes the result from their files, `drawing` writes the
report; `files` has the file formats.
"""

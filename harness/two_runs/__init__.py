"""Has it become slower: two runs beside each other, before and after a change.

Inside, each module imports only from those named before it:

* `options`: what it is told
* `bootstrap`: how sure the figures of one run are
* `steady`: the steady state of a run as slices of time
* `reading`: two run folders, read or refused; in what they differ beside their results
* `ratios`: of both runs, with their intervals
* `slowdown`: whether a change made the server slower
* `table`: both on a terminal and as Markdown
* `baseline`: the run that later ones are compared with
* `command`: compares two runs, or keeps one
"""

"""Which deployment carries more: an experiment of many runs, or two runs beside each other.

Inside, each module imports only from those named before it:

* `options`: what an experiment is told
* `files`: results/COMPARE_ID as types
* `ladder`: which number of users a variant meets next, and how many it carried
* `estimates`: means, ratios and what they can show, from few rounds
* `server_load`: CPU and memory of the server's processes
* `machine`: on what it was measured
* `findings`: what was found, in sentences
* `judging`: the runs of an experiment and what came of it
* `progress`: what runs, what came of it, and when it will end
* `experiment`: runs an experiment, round by round
* `command`: plans an experiment, or takes one up again
* `wording`: how intervals, ratios and carried users are written
* `picture`: everything that is drawn, gathered from the folder once
* `contents`: what the charts show, on paper and on the page alike
* `tables`: the rows that the page and the Markdown have in common
* `charts`: PNG files, by matplotlib
* `plots`: the charts of the page, with hover, by plotly
* `page`: `report.html`
* `markdown`: `report.md`
* `drawing`: all of them into the folder
* `bootstrap`: how sure the figures of one run are
* `steady`: the steady state of a run as slices of time
* `alike`: in what two runs differ beside their results
* `reading`: two run folders, read or refused
* `two_runs`: ratios of two runs with their intervals
* `slowdown`: whether a change made the server slower
* `two_runs_table`: both on a terminal and as Markdown
* `baseline`: the run that later ones are compared with
* `two_runs_command`: compares two runs, or keeps one
"""

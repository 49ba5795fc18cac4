"""Which deployment carries more: an experiment of many runs, and its report.

Inside, each module imports only from those named before it:

* `options`: what an experiment is told
* `files`: results/COMPARE_ID as types
* `ladder`: which number of users a variant meets next, and how many it carried
* `estimates`: means, ratios and what they can show, from few rounds
* `server_load`: the machine, and CPU and memory of the server's processes
* `findings`: what was found, in sentences, and how its figures are written
* `judging`: the runs of an experiment and what came of it
* `progress`: what runs, what came of it, and when it will end
* `experiment`: runs an experiment, round by round
* `picture`: everything that is drawn, gathered from the folder once
* `contents`: what the charts show, on paper and on the page alike
* `tables`: the rows that the page and the Markdown have in common
* `charts`: PNG files, by matplotlib
* `plots`: the charts of the page, with hover, by plotly
* `drawing`: page, Markdown and charts into the folder
* `command`: plans an experiment, or takes one up again
"""

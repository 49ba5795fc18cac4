"""The machinery of the load test: it carries the requests and writes down what a run learned.

Ten floors, each importing only from those below it:

* ground: `contract`, `parsing`, `formatting`, `atomic`, `histograms`, `percentiles`, `wire`,
  `processes`, `tomlfile`, `ledger`, `journal`
* next: `settings`, `runfolder`, `timeseries`, `workload`
* first: `origin`, `response`, `data`, `devices`, `guard`, `command_line`, `login`, `garbage`,
  `stopping`, `healing`, `objectives`, `deployments`, `shapes`
* second: `session`, `clients`, `figures`, `health`, `statistics`, `drawing`, `messages`,
  `identity`, `arrivals`, `rows`
* third: `user`, `errands`, `meter`, `verdict`, `standing`, `gate`, `terminal`
* fourth: `result`, `audit`, `worker`, `admission`
* fifth: `recorder`, `report`, `cleanup`, `master`
* sixth: `live`, `compare`, `after_run`
* seventh: `two_runs`
* top: `lifecycle`, `__main__`
"""

__version__ = "0.1.0"


class ConfigurationError(ValueError):
    """Something that a user can put right; its one line says what, where, and what to do."""

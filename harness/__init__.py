"""The machinery of the load test: it carries the requests and writes down what a run learned.

Nine floors, each importing only from those below it:

* ground: `contract`, `settings`, `runfolder`, `histograms`, `wire`, `processes`,
  `tomlfile`, `ledger`, `journal`
* first: `origin`, `response`, `data`, `devices`, `guard`, `command_line`, `login`, `garbage`,
  `stopping`, `healing`, `objectives`, `deployments`, `terminal`, `shapes`, `timeseries`
* second: `session`, `clients`, `figures`, `health`, `statistics`, `drawing`, `messages`,
  `identity`, `arrivals`
* third: `user`, `errands`, `meter`, `verdict`, `standing`, `gate`
* fourth: `result`, `audit`, `worker`, `admission`
* fifth: `recorder`, `report`, `cleanup`, `master`
* sixth: `live`, `compare`, `after_run`
* seventh: `two_runs`
* top: `lifecycle`, `__main__`
"""

__version__ = "0.1.0"


class ConfigurationError(ValueError):
    """Something that a user can put right; its one line says what, where, and what to do."""

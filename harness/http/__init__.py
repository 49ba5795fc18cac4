"""Send requests to the API under test and check the responses.

`request` defines a request and its valid responses, `suite` what the harness knows of the API.
`session` is the measured path, over the connections in `wire`; `locust_clients` is the path
through Locust's own client. `batch` sends many requests outside the statistics, for cleanup.
`session`, `locust_clients` and `batch` import Locust or gevent; import them from their modules.
"""

from harness.http.request import Check, Endpoint, Request, endpoint
from harness.http.suite import DeviceRequests, Suite, Value, WordsFor

__all__ = [
    "Check",
    "DeviceRequests",
    "Endpoint",
    "Request",
    "Suite",
    "Value",
    "WordsFor",
    "endpoint",
]

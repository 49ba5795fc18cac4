"""The notice API under test, and nothing else: its requests, its checks and the words to send.

`contract` builds requests and checks responses. `words` reads data/. `SUITE` describes both to the
harness, which knows nothing else about the API.
"""

from notice_api.suite import SUITE

__all__ = ["SUITE"]

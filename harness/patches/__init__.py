"""Everything that relies on private parts of Locust.

Invariant: only `locust_internals` reads or replaces them. Each patch says why it is needed, and
has a test that fails when Locust changes what the patch relies on. `locust_version` warns about a
Locust newer than the version the patches were tested with.
"""

from harness.patches.locust_version import TESTED_VERSION, newer_version_warning

__all__ = ["TESTED_VERSION", "newer_version_warning"]

"""How many examples property tests draw: a few by day, the same ones every time; many new ones with ADAPT_MOTION_ALL=1.

No example has a time limit, and none is drawn too slowly: on a busy machine both would fail without a reason.
"""

import os

from hypothesis import HealthCheck, settings

_COMMON = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("day", max_examples=25, derandomize=True, **_COMMON)
settings.register_profile("all", max_examples=200, print_blob=True, **_COMMON)
settings.load_profile("all" if os.environ.get("ADAPT_MOTION_ALL") else "day")

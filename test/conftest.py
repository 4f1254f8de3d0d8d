import os

from hypothesis import HealthCheck, settings

# Before anything imports torch: spinning OpenMP threads make every test slow where several processes share the cores.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# A busy machine, or a kernel compiled at the first example, must not fail a test; times belong in benchmarks/.
settings.register_profile("any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_machine")

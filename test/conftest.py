import os
import signal

from hypothesis import HealthCheck, settings

# Before anything imports torch: spinning OpenMP threads make every test slow where several processes share the cores.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# A busy machine, or a kernel compiled at the first example, must not fail a test; times belong in benchmarks/.
settings.register_profile("any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_machine")

# A script that starts the tests in its background has them ignore Ctrl-C, and so would every process that they start
# and interrupt: what those do on Ctrl-C is tested as at a terminal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import os

# Before anything imports torch: spinning OpenMP threads make every test slow where several processes share the cores.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

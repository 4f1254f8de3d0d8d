# Trying, developing and testing without a ROS 2 installation: everything lands in .venv.
# A vehicle uses its own ROS 2 and colcon instead, and none of this.

PYTHON  ?=    # the Python to use; default: the first of 3.10 to 3.13 on PATH
SOURCE  ?=    # what the demo plays: synthetic, folder of images, video, rosbag2 folder, /dev/videoN; default: a film of a motorway
SECONDS ?= 20 # how long the demo runs; 0: until Ctrl-C
SPEED   ?= $(RATE) # how many times as fast a recording is played: 0.5 at half, 2 at double speed; RATE, as it was called, works too
START   ?=    # seconds of the recording to skip
DURATION ?=   # seconds of the recording to play; default: to its end
LOOP    ?= 1  # 1: start it again at its end, until SECONDS are over; 0: end with it
TESTS   ?= test
QUICK   ?= not slow and not ros and not browser and not cluster
# Where to look for torch as well. Plain PyPI gives the build for NVIDIA GPUs, some 3 GB; PyTorch's own index of CPU
# builds gives 200 MB: make demo TORCH_INDEX=<its address>. Empty by default: GPUs keep working, mirrors keep their say.
TORCH_INDEX ?=

VENV   := .venv
STAMPS := $(VENV)/.stamps
RUN    := tools/in_venv.sh
PIP    := $(RUN) python -m pip install --disable-pip-version-check --no-input
# nothing is compiled but our messages; empy (pure Python) comes as source only
WHEELS := --only-binary :all: --no-binary empy -c constraints.txt
INDEX   = $(if $(strip $(TORCH_INDEX)),--extra-index-url $(strip $(TORCH_INDEX)))
INTERFACES := vision_msgs tf2_msgs
TEST_INTERFACES := foxglove_msgs
MSGS   := $(shell find interfaces -type f 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup setup-test demo test lint types quick check coverage site bench clean
.DELETE_ON_ERROR:

help: ## this list
	@echo "make TARGET [NAME=VALUE]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r t d; do printf '%-14s %s\n' "$$t" "$$d"; done

demo: setup ## camera and node, with a live panel; SOURCE=<synthetic|images|video|bag|/dev/video0> SECONDS=20, and SPEED START DURATION LOOP
	@$(RUN) trust-seg demo $(if $(strip $(SOURCE)),"$(strip $(SOURCE))") --seconds $(strip $(SECONDS)) \
	  $(if $(strip $(SPEED)),--speed $(strip $(SPEED))) $(if $(strip $(START)),--start $(strip $(START))) \
	  $(if $(strip $(DURATION)),--duration $(strip $(DURATION))) $(if $(filter 0 no false,$(LOOP)),--no-loop) --out out

test: setup-test ## install what is missing, check style, run all tests; TESTS=test/node for some
	@$(MAKE) --no-print-directory --jobs=2 --keep-going test-slow test-alongside

# The slow tests wait for other processes most of the time; lint and the quick ones run beside them and report at their end.
# pytest ends with 5 where none of TESTS is of the kind.
.PHONY: test-slow test-alongside
test-slow: setup-test
	@$(RUN) python -m pytest -m "not ($(QUICK))" $(TESTS) || [ $$? -eq 5 ]
test-alongside: setup-test
	@log=$(STAMPS)/alongside.log; { $(MAKE) --no-print-directory lint; style=$$?; \
	  $(RUN) python -m pytest -m "$(QUICK)" $(TESTS) || [ $$? -eq 5 ]; tests=$$?; } >$$log 2>&1; \
	  cat $$log; exit $$((style + tests))

lint: setup-test ## style, format, types, which part may import which, and whether every import is declared
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) lint-imports --no-logo
	@$(RUN) deptry .
	@$(RUN) mypy

types: setup-test ## types, with mypy
	@$(RUN) mypy

# The quick tests in two halves of about equal length, which `make check` runs at the same time.
WORKSHOP := commands evaluation recordings packaging training
.PHONY: quick-workshop quick-drives
quick-workshop: setup-test
	@$(RUN) python -m pytest -q -m "$(QUICK)" $(WORKSHOP:%=test/%)
quick-drives: setup-test
	@$(RUN) python -m pytest -q -m "$(QUICK)" test $(WORKSHOP:%=--ignore=test/%)

quick: quick-workshop quick-drives ## the quick half of the tests: no ROS processes, browser, cluster, nothing of several seconds

check: setup-test ## what to run before a commit: lint, types and the quick half of the tests, two at a time
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target quick-workshop quick-drives lint

coverage: setup-test ## all tests, with the lines of the package that none of them runs (without subprocesses); slower
	@$(PIP) --quiet $(WHEELS) -r requirements-coverage.txt
	@$(RUN) python -m pytest --cov=trust_seg_ros --cov-report=term-missing:skip-covered $(TESTS)

site: setup-test ## the documentation as a site with search and API reference, in out/site
	@NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --quiet
	@echo "out/site: $(RUN) python -m http.server --bind 127.0.0.1 --directory out/site 8000, then http://127.0.0.1:8000"

bench: setup ## time the parts, as tables
	@for b in benchmarks/bench_*.py; do echo "== $$b"; $(RUN) python "$$b" || exit 1; done

clean: ## remove .venv and everything built; the next run installs anew
	rm -rf $(VENV) out build install log *.egg-info .pytest_cache .ruff_cache .hypothesis .mypy_cache .import_linter_cache .coverage
	find trust_seg_ros test benchmarks launch examples -name __pycache__ -type d -prune -exec rm -rf {} +

setup: $(STAMPS)/package ## install what the demo needs into .venv

setup-test: $(STAMPS)/package $(STAMPS)/test ## install what the tests need, too

$(STAMPS)/venv:
	@python=$$(tools/find_python.sh $(strip $(PYTHON))) && echo "== $(VENV) with $$python" && \
	  env -u PYTHONPATH -u PYTHONHOME "$$python" -m venv --clear $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/requirements: $(STAMPS)/venv requirements.txt constraints.txt
	@echo "== requirements (some minutes the first time; torch is the largest)"
	@$(PIP) $(WHEELS) $(INDEX) -r requirements.txt
	@touch $@

$(INTERFACES:%=$(STAMPS)/%) $(TEST_INTERFACES:%=$(STAMPS)/%): $(STAMPS)/%: $(STAMPS)/requirements $(MSGS)
	@echo "== interfaces/$* (compiled here: about a minute)"
	@$(PIP) --force-reinstall --no-deps ./interfaces/$*
	@touch $@

$(STAMPS)/package: $(INTERFACES:%=$(STAMPS)/%) setup.py setup.cfg tools/link_checkout.sh
	@$(PIP) --no-deps --no-build-isolation --quiet -e .
	@tools/link_checkout.sh $(VENV)
	@touch $@

$(STAMPS)/test: $(STAMPS)/requirements $(TEST_INTERFACES:%=$(STAMPS)/%) requirements-test.txt
	@$(PIP) $(WHEELS) -r requirements-test.txt
	@touch $@

# Éclair in two commands: `make run` sets everything up and starts it, `make test` sets everything up and tests it.
# Each step is done once and again only when what it depends on has changed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

unexport PYTHONDONTWRITEBYTECODE # what is installed is compiled once, when it is first imported

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BUILD := .build
DIFFUSERS := $(BUILD)/diffusers
MCP_SERVERS := $(BUILD)/mcp-servers $(BUILD)/mcp-servers-1
S3_SERVER := $(BUILD)/s3-server
RELEASE := $(BUILD)/release
TORCH := 2.13.0
UI := $(shell find ui -name node_modules -prune -o -type f -print)
DRAWINGS := $(shell find drawings -name node_modules -prune -o -type f -print) src/eclair/images/backends/clipart/folding.py

# Install what a lock file pins into a virtual environment, naming each package as it comes.
define install
	@echo "$(3)"
	@if [ -z "$(PYTHON)" ]; then echo "Éclair needs Python 3.11 or newer; install it and try again." >&2; exit 1; fi
	@[ -x $(1)/bin/pip ] || "$(PYTHON)" -m venv $(1) || \
		{ echo "Python has no venv module; on Debian and Ubuntu install the package python3-venv." >&2; rm -rf $(1); exit 1; }
	@$(1)/bin/python -m pip install --disable-pip-version-check --no-input --no-compile --require-hashes \
		--only-binary :all: -r $(2) 2>&1 | tee $(1)/install.log | awk -v tty="$$([ -t 1 ] && echo 1)" \
		'/^ERROR/ { print; bad = 1 } /^Collecting/ && tty { printf "\r  %d  %s\033[K", ++n, $$2; fflush() } \
		END { if (tty) printf "\r\033[K"; if (bad) print "The whole output is in $(1)/install.log." }'
	@touch $@
endef

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.app ## Set up what is not set up, and start Éclair
	@$(if $(wildcard $(DIFFUSERS)/.ready),ECLAIR_DIFFUSERS_PYTHON="$${ECLAIR_DIFFUSERS_PYTHON:-$(abspath $(DIFFUSERS))/bin/python}") \
		exec $(VENV)/bin/eclair serve --pull

diffusers: $(DIFFUSERS)/.ready ## Set up PyTorch and diffusers, which draw with FLUX

mcp-servers: $(addsuffix /.ready,$(MCP_SERVERS)) ## Set up the published MCP servers that the tests call

s3-server: $(S3_SERVER)/.ready ## Set up the object store that the tests call

test: $(VENV)/.dev diffusers mcp-servers s3-server chromium compiler directory models data-tools speech ## Run every test, in a real browser too
	@$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

quick: $(VENV)/.dev models s3-server ## Formatting, lint, and the fast tests: no browser, no large model
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(QUICK) $(ARGS)
QUICK = $(CHECKS) tests/test_settings.py $(addprefix tests/,chat citations generation llm/test_registry.py \
	llm/test_openai.py llm/test_scripted.py models network sandbox schema storage text transfer util)

check: static ## Formatting, lint, types, generated files, layers, names, dependencies, advisories, docs
	@$(VENV)/bin/python -m pytest -q $(CHECKS)
CHECKS := tests/test_advisories.py tests/test_dependencies.py tests/test_docs.py tests/test_layers.py tests/test_names.py

static: types page # what of `make check` is no test
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/python -m eclair.server.typescript | diff - ui/src/api/events.ts
	@$(SCHEMA) | diff - ui/src/api/schema.ts
	@$(BUILD)/bin/python hatch_build.py keys | diff - ui/src/lib/i18n/keys.ts
	@$(VENV)/bin/python -m eclair.storage.sqlite.schema_script | diff - src/eclair/storage/sqlite/schema.sql
	@$(VENV)/bin/python release/licenses.py | diff - release/licenses.json
	@$(VENV)/bin/python docs/map.py --check
	@$(VENV)/bin/eclair config --markdown | diff - docs/configuration.md
	@$(VENV)/bin/eclair models --markdown | diff - <(sed '1,/^<!-- written by .eclair models/d; /^<!-- end/,$$d' docs/engines.md)

types: $(VENV)/.dev
	@$(VENV)/bin/basedpyright

page: $(VENV)/.app
	@$(BUILD)/bin/python hatch_build.py check

generate: $(VENV)/.app ## Write the generated files again
	@$(VENV)/bin/python -m eclair.server.typescript >$(BUILD)/events.ts && cp $(BUILD)/events.ts ui/src/api/
	@$(SCHEMA) >$(BUILD)/schema.ts && cp $(BUILD)/schema.ts ui/src/api/
	@$(BUILD)/bin/python hatch_build.py keys >$(BUILD)/keys.ts && cp $(BUILD)/keys.ts ui/src/lib/i18n/
	@$(VENV)/bin/python -m eclair.storage.sqlite.schema_script >$(BUILD)/schema.sql && cp $(BUILD)/schema.sql src/eclair/storage/sqlite/
	@$(VENV)/bin/python release/licenses.py >$(BUILD)/licenses.json && cp $(BUILD)/licenses.json release/
SCHEMA = $(VENV)/bin/python -m eclair.server.typescript openapi | $(BUILD)/bin/python hatch_build.py types

format: $(VENV)/.dev ## Format the Python code
	@$(VENV)/bin/ruff check --fix-only
	@$(VENV)/bin/ruff format

map: $(VENV)/.dev ## Write the map of the code into README.md and docs/architecture.md
	@$(VENV)/bin/python docs/map.py

fuzz: $(VENV)/.dev ## Try changed files, feeds, streams and requests: SECONDS for each of TARGETS (all), from SEED on
	@$(VENV)/bin/python -m tests.fuzz --seconds $(or $(SECONDS),60) --seed $(or $(SEED),1) $(TARGETS)

bench: $(VENV)/.dev models ## Measure; see bench/README.md
	@for script in start stream overhead prefix many limit words loops resume page; do $(VENV)/bin/python bench/$$script.py; done

lock: $(VENV)/.dev ## Renew the lock files
	@$(VENV)/bin/uv pip compile -q pyproject.toml $(LOCKED) -o requirements.lock
	@$(VENV)/bin/uv pip compile -q --group build -c requirements.lock $(LOCKED) -o requirements-build.lock
	@$(VENV)/bin/uv pip compile -q --group release -c requirements.lock $(LOCKED) -o requirements-release.lock
	@$(VENV)/bin/uv pip compile -q --group dev -c requirements.lock $(LOCKED) -o requirements-dev.lock
	@$(VENV)/bin/uv pip compile -q --group diffusers --overrides <(echo "torch; sys_platform == 'never'") \
		$(addprefix --no-emit-package ,torch setuptools sympy mpmath networkx) $(LOCKED) -o requirements-diffusers.lock
	@$(VENV)/bin/uv pip compile -q <(grep -oP '^s3 = \["\K[^"]+' pyproject.toml) -c requirements.lock --no-annotate $(LOCKED) \
		-o requirements-s3.lock
	@$(VENV)/bin/uv pip compile -q <(echo mcp-server-time) --no-annotate $(LOCKED) -o requirements-mcp-servers.lock
	@$(VENV)/bin/uv pip compile -q <(printf 'moto[s3]\nflask\nflask-cors\n') --no-annotate $(LOCKED) -o requirements-s3-server.lock
	@$(VENV)/bin/uv pip compile -q <(printf 'mcp-server-sqlite\nmcp-proxy\nmcp[cli]<2\n') --no-annotate --no-strip-extras $(LOCKED) \
		-o requirements-mcp-servers-1.lock
LOCKED := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade

audit: $(RELEASE)/.ready $(BUILD)/.ready ## Ask the advisory databases about every pinned package; needs the network
	@$(BUILD)/bin/python release/audit.py $(RELEASE)/bin/pip-audit

wheel: $(BUILD)/.ready ## Build the wheel into dist/
	@$(BUILD)/bin/python -m hatchling build -t wheel

image: wheel ## Build container images (as root; needs mmdebstrap and buildah)
	@deploy/container/build.sh

clean: ## Forget everything that was set up; conversations and models stay
	@rm -rf $(VENV) $(BUILD) dist ui/node_modules drawings/node_modules src/eclair/server/static src/eclair/transfer/viewer
	@rm -f $(addprefix src/eclair/images/backends/clipart/,clipart.zip .sources)

models: $(VENV)/.app
	@$(VENV)/bin/eclair pull

data-tools: $(VENV)/.app
	@$(VENV)/bin/eclair python install

speech: $(VENV)/.app
	@npm_config_registry="$$($(BUILD)/bin/python hatch_build.py registry)" $(VENV)/bin/eclair speech install

collected: $(VENV)/.dev $(VENV)/.app # what the tests import is compiled once, not by every process of tests
	-@nice $(VENV)/bin/python -m pytest --collect-only -q >/dev/null # the tests will say what fails

chromium: $(BUILD)/.ready
	@$(BUILD)/bin/python tests/browser/chromium.py || $(call debian,Chromium,chromium-headless-shell) || \
		$(call debian,Chromium,chromium) || \
		{ echo "The browser tests need Chromium or Chrome; install it (Debian: apt install chromium)." >&2; exit 1; }

compiler:
	@{ command -v $${CXX:-c++} && command -v $${CC:-cc}; } >/dev/null || $(call debian,a C++ compiler,g++) || \
		{ echo "The tests of the kernels need a C and a C++ compiler; install them (Debian: apt install g++)." >&2; exit 1; }

directory:
	@PATH="$$PATH:/usr/sbin:/usr/libexec:/usr/local/libexec"; \
		command -v slapd >/dev/null || $(call debian,a directory server,slapd) || \
		{ echo "The tests of LDAP need OpenLDAP's slapd; install it (Debian: apt install slapd)." >&2; exit 1; }

# Install a package of Debian, as root; one at a time, since apt does not wait for itself
debian = { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "Installing $(1)…" && \
	flock Makefile sh -c "apt-get update -qq; DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $(2) >/dev/null"; }

$(VENV)/.runtime: requirements.lock
	$(call install,$(VENV),requirements.lock,Installing Éclair's dependencies…)

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(call install,$(VENV),requirements-dev.lock,Installing what the tests need…)

$(BUILD)/.ready: requirements-build.lock
	$(call install,$(BUILD),requirements-build.lock,Installing what the build needs…)

$(RELEASE)/.ready: requirements-release.lock
	$(call install,$(RELEASE),requirements-release.lock,Installing what releases need…)

# Servers whose packages can't be installed beside each other and those of Éclair.
$(BUILD)/%/.ready: requirements-%.lock
	$(call install,$(BUILD)/$*,$<,Installing servers for the tests…)
	@$(if $(findstring mcp,$*),$(BUILD)/$*/bin/python -m compileall -q $(BUILD)/$*/lib || true) # in the sandbox they can't be

# PyTorch has another build for each kind of graphics processor, so that no hash can be right for all: pip takes that
# version from wherever it is configured to. What is left is pinned by hash.
$(DIFFUSERS)/.ready: requirements-diffusers.lock
	@echo "Installing PyTorch and diffusers…"
	@[ -x $(DIFFUSERS)/bin/pip ] || "$(PYTHON)" -m venv $(DIFFUSERS)
	@$(DIFFUSERS)/bin/python -m pip install -q --disable-pip-version-check --no-input --no-compile torch==$(TORCH)
	@$(DIFFUSERS)/bin/python -m pip install -q --disable-pip-version-check --no-input --no-compile --no-deps \
		--require-hashes --only-binary :all: -r requirements-diffusers.lock
	@touch $@

$(VENV)/.app: $(VENV)/.runtime $(BUILD)/.ready pyproject.toml hatch_build.py $(UI) $(DRAWINGS)
	@echo "Building the web app…"
	@rm -rf $(BUILD)/wheel
	@$(BUILD)/bin/python -m hatchling build -t wheel:editable -d $(BUILD)/wheel >$(BUILD)/build.log 2>&1 || \
		{ tail -20 $(BUILD)/build.log >&2; exit 1; }
	@$(VENV)/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-index --force-reinstall \
		$(BUILD)/wheel/*.whl
	@touch $@

.PHONY: help run diffusers mcp-servers s3-server test quick map generate check static types page format fuzz bench lock audit wheel image clean models data-tools speech collected chromium compiler directory

# `make help` lists what can be done here. Everything works as root on a fresh Debian 12.

PYTHON ?= $(shell command -v /usr/bin/python3 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STACKER := $(BIN)/stacker
IMAGE := stacker/busybox:1
APT := DEBIAN_FRONTEND=noninteractive apt-get
TEST_PACKAGES := busybox-static dbus docker-registry skopeo umoci buildah crun runc erofs-utils nftables \
	iproute2 procps openssl tmux strace gcc libc6-dev podman catatonit docker.io \
	containerd uidmap apparmor
VM_PACKAGES := debootstrap qemu-system-x86 python3-venv git

.DEFAULT_GOAL := help
.PHONY: help up down image install ui check test soak vm-test format lock screenshot clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: install image ## start the example stack and wait until it is healthy
	$(STACKER) up -d --wait stack.example.yaml
	@$(STACKER) ps -p example
	@echo
	@echo "open http://127.0.0.1:8080/    watch: $(STACKER) ui    stop: make down"

down: ## take the example stack away, and all that came with it
	@if [ -x $(STACKER) ]; then $(STACKER) down -v -p example; fi

ui: install ## open the dashboard
	$(STACKER) ui

image: install ## make the example's image from Debian's static busybox, without any registry
	@command -v /bin/busybox >/dev/null && ! ldd /bin/busybox >/dev/null 2>&1 \
		|| { $(APT) update -qq && $(APT) install -y -qq busybox-static; }
	@$(STACKER) images --format json | grep -q '"docker.io/$(IMAGE)"' \
		|| $(PYTHON) examples/busybox_image.py \
		| $(STACKER) import --change 'CMD ["sh"]' --change 'ENV PATH=/bin' - $(IMAGE)

install: $(VENV)/.installed ## make the virtual environment with the package in it

$(VENV)/.installed: pyproject.toml requirements.lock
	@$(MAKE) -s $(VENV)/.made
	@if command -v uv >/dev/null; then \
		uv pip install -q --python $(BIN)/python -r requirements.lock && \
		uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
		$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock && \
		$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

$(VENV)/.made:
	@if command -v uv >/dev/null; then uv venv -q --python $(PYTHON) $(VENV); else \
		$(PYTHON) -c 'import ensurepip' 2>/dev/null \
			|| { $(APT) update -qq && $(APT) install -y -qq python3-venv; }; \
		$(PYTHON) -m venv $(VENV); \
	fi
	@touch $@

$(VENV)/.dev: $(VENV)/.installed requirements-dev.lock
	@if command -v uv >/dev/null; then \
		uv pip install -q --python $(BIN)/python -r requirements-dev.lock; \
	else \
		$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-dev.lock; \
	fi
	@touch $@

check: $(VENV)/.dev ## lint, types, import contracts, file sizes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

test: $(VENV)/.dev .test-packages ## every test, with the tools they need installed first
	$(BIN)/pytest -q

soak: $(VENV)/.dev .test-packages ## the tests that ask for many rounds, with the full count
	STACKER_SOAK=1 $(BIN)/pytest -q --timeout 3600 -m soak

vm-test: ## the tests that need a real host: a Debian 12 with systemd, in QEMU (VM_TESTS: other suites)
	@dpkg -s $(VM_PACKAGES) >/dev/null 2>&1 \
		|| { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends $(VM_PACKAGES); }
	@$(PYTHON) -m tests.vm.run $(VM_TESTS)

.PHONY: .test-packages
.test-packages:
	@dpkg -s $(TEST_PACKAGES) >/dev/null 2>&1 \
		|| { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends $(TEST_PACKAGES); }

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshot: install ## draw the dashboard's picture anew, from the stacks that are up
	$(BIN)/python docs/images/dashboard.py g t > docs/images/dashboard.svg

lock: $(VENV)/.made ## resolve the dependencies anew and write both lock files
	$(BIN)/python packaging/lock.py

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .vm-results .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Everything a newcomer needs: `make demo`, `make test`. Packages are all that is fetched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt
INPUT ?=
# Of `make reports`: a folder of scenes; a folder of decoded arrays with validation/.
SCENES ?=
ARRAYS ?=
CLASSICAL ?= zhuo_sim_wiener zhuo_sim_richardson_lucy zhuo_sim_hyper_laplacian ebdb
# A process that dies fails the run at once: replaced, it may leave the run waiting for
# ever (pytest-xdist's issue 1378).
PARALLEL := -n 2 --dist loadfile --max-worker-restart 0

.PHONY: demo test test-fast native reports docs lint clean

demo: $(VENV)/.installed
	$(BIN)/python tools/demo.py --output results/demo $(if $(INPUT),--input "$(INPUT)")

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -m "not slow" $(PARALLEL)
	$(BIN)/python -m pytest -q -m slow $(PARALLEL)

test-fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -m "not slow" $(PARALLEL)

native: $(VENV)/.installed
	$(BIN)/python tools/build_native.py

# The pages of scores in docs/, of every shipped preset. `CLASSICAL=` keeps the slow rows
# that results/ has already.
reports: $(VENV)/.installed
	$(if $(SCENES),$(BIN)/python tools/evaluate.py --preset all --compare dpdnet \
		--folder "$(SCENES)" --single_pictures --output results/scenes)
	$(if $(SCENES),$(if $(CLASSICAL),$(BIN)/python tools/evaluate.py \
		$(foreach method,$(CLASSICAL),--classical two_step_$(method)) \
		--folder "$(SCENES)" --single_pictures --output results/scenes_classical))
	$(if $(SCENES),$(BIN)/python tools/report.py --output results/report_scenes \
		--page docs/report_scenes.md --page_title "Real scenes" \
		--page_note "Rows two_step_*: classical deconvolution with an estimated \
		defocus map. Row dpdnet: the pictures that its authors published." \
		results/scenes results/scenes_classical)
	$(if $(ARRAYS),$(BIN)/python tools/evaluate.py --preset all \
		--arrays "$(ARRAYS)/validation" --single_pictures --output results/rendered)
	$(if $(ARRAYS),$(BIN)/python tools/report.py --output results/report_synthetic \
		--page docs/report_synthetic.md --page_title "Rendered defocus" \
		--page_note "Rendered from BSDS500 photographs for non-commercial \
		research and education." results/rendered)
	$(if $(ARRAYS),$(BIN)/python tools/reproduce/noise_sensitivity.py --preset all \
		--arrays "$(ARRAYS)/validation" --num_images 24 \
		--page docs/noise_sensitivity.md --output results/noise_sensitivity)
	$(BIN)/python tools/reproduce/attention.py --preset kpac_3level --shown 0.4 \
		--output docs/kpac_attention/strips.jpg --page docs/kpac_attention.md

# The documentation site, into results/site. (The theme's makers advertise a successor.)
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(VENV)/.installed: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable ".[tensorflow]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) results build dist *.egg-info

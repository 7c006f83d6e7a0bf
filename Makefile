# make demo: the main job, shown. make test: lint, types and tests. Both make their own .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint types tests generate bench fuzz zoo published models clean

demo: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh demo

test: lint types tests

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

tests: $(READY)
	$(BIN)/python -m pytest -n 2

generate: $(READY)
	$(BIN)/python -m caffegen.schema.generate
	$(BIN)/python docs/generate_diagnostics.py

bench: $(READY)
	for script in benchmarks/*_time.py benchmarks/growth.py; do $(BIN)/python $$script || exit 1; done

# every net of the zoo at full size in three runtimes, those aside that are good in zoo.jsonl;
# FAMILIES="..." takes some
zoo: $(READY)
	$(BIN)/python -m tests.zoo.full_size $(FAMILIES) --results zoo.jsonl

# Caffe's published nets at full size as ONNX models of three opsets, batch 1 and 5
published: $(READY)
	$(BIN)/python -m tests.onnx_bridge.published $(NETS)

# published detectors, segmenters and the like at full size, out of clones under CLONES
models: $(READY)
	$(BIN)/python -m tests.zoo.whole_models $(CLONES) --results models.jsonl

# FOLDERS="..." adds further prototxt files to mutate
fuzz: $(READY)
	$(BIN)/python benchmarks/fuzz.py $(FOLDERS)

# torch first and by its pin alone: without it the newest build brings gigabytes of CUDA packages
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]' pillow
	-$(BIN)/python -m pip install --quiet --no-deps torchvision==0.28.0
# OpenCV 5 has OpenCV 4's name, so it lies beside; tests/onnx_bridge/test_importers.py finds it
	-$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/opencv5 'opencv-python-headless>=5,<6'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist demo

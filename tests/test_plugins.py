"""Layer types that a user or a package defines, by the example of docs/plugins.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from caffegen import load, loads
from caffegen.check import Options, check_source
from caffegen.errors import CaffegenError, FileError
from caffegen.plugins import defines, discover, failures, load_plugin, loaded_files
from caffegen.text import Source

pytestmark = pytest.mark.usefixtures("additions")

PAGE = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")
PLUGIN = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
NET = re.search(r"```prototxt\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "soft_shrink.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "net.prototxt").write_text(NET, encoding="utf-8")
    return tmp_path


def test_the_example_of_the_page_is_a_layer_like_any_other(files):
    names = {d.name for d in check_source(Source(NET), Options()).diagnostics}
    assert names == {"unknown-layer-type", "unknown-field"}
    load_plugin(files / "soft_shrink.py")
    assert check_source(Source(NET), Options()).diagnostics == []
    net = load(files / "net.prototxt")
    assert net.shapes["shrink"] == (2, 4, 6, 6)
    definition = net.layers[2].definition
    assert [(blob.name, blob.shape) for blob in definition.blobs] == [("step", (4,))]
    assert definition.cost().ops == 2 * 2 * 4 * 6 * 6
    assert load_plugin(files / "soft_shrink.py") is None
    assert [Path(path).name for path in loaded_files()] == ["soft_shrink.py"]


def test_what_it_reports_has_a_place(files):
    load_plugin(files / "soft_shrink.py")
    text = NET.replace("soft_shrink_param {", "soft_shrink_param { first: -1")
    (found,) = check_source(Source(text), Options()).diagnostics
    assert (found.name, found.message) == ("out-of-range", "`first` is -1; it must not be negative")
    assert found.span.text == "first: -1"


def test_pytorch_and_onnx_compute_it(files):
    import torch

    from caffegen.pytorch import build
    from caffegen.verify import compare

    load_plugin(files / "soft_shrink.py")
    module = build(load(files / "net.prototxt"))
    module.shrink.step.data.copy_(torch.tensor([0.0, 0.1, 1.0, 3.0]))
    blobs = module.run(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)))
    before, after = blobs["conv"], blobs["shrink"]
    expected = torch.stack(
        [
            torch.nn.functional.softshrink(before[:, i], s)
            for i, s in enumerate([0.0, 0.1, 1.0, 3.0])
        ],
        dim=1,
    )
    torch.testing.assert_close(after, expected)
    from caffegen.analysis.fill import fill_params

    net = load(files / "net.prototxt")
    net = load(files / "net.prototxt", fill_params(net.graph, 0))
    report = compare(net, ["torch", "onnxruntime"], 0)
    assert report.ok
    assert {row.blob for row in report.rows} >= {"conv", "shrink"}


def test_the_plug_in_needs_no_torch_to_check(files):
    code = (
        "import sys\n"
        "from caffegen.plugins import load_plugin\n"
        "load_plugin('soft_shrink.py')\n"
        "from caffegen import load\n"
        "load('net.prototxt')\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=files
    )
    assert not {"torch", "onnx", "google.protobuf"} & set(done.stdout.split())


HEAD = "from caffegen.plugins import *\n"
BROKEN = {
    "syntax": ("x = (\n", ":1:5: '(' was never closed"),
    "failure": ("\n\nraise ValueError('no')\n", ":3: ValueError: no"),
    "failure within": ("def f():\n    1 / 0\n\nf()\n", ":2: ZeroDivisionError: division by zero"),
    "exit": ("raise SystemExit\n", ":1: SystemExit"),
    "no module": ("import none_such\n", ":1: ModuleNotFoundError: No module named 'none_such'"),
    "a type of ours": (
        HEAD + "@defines\nclass Pooling(Definition):\n    type = 'Pooling'\n",
        ":2: `Pooling` is a layer type of caffegen's own",
    ),
    "no type": (
        HEAD + "@defines\nclass Fold(Definition):\n    pass\n",
        ":2: `Fold` has no `type`, the name of the layer type",
    ),
    "no definition": (
        HEAD + "@defines\nclass Fold:\n    type = 'Fold'\n",
        ":2: `@defines` stands before a class that derives from Definition",
    ),
    "a lowering of ours": (
        HEAD + "@lowers('ReLU')\ndef f(definition): pass\n",
        ":2: `ReLU` is a layer type of caffegen's own",
    ),
    "a writer of ours": (
        HEAD + "@writes('ReLU')\ndef f(w, definition): pass\n",
        ":2: `ReLU` is a layer type of caffegen's own",
    ),
    "no such type": (
        HEAD + "add_message('FoldParameter', times='int3')\n",
        ":2: `times` is of the type `int3`, and there is no such type",
    ),
}


@pytest.mark.parametrize(("text", "sentence"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_plug_in_is_one_sentence_with_its_place(tmp_path, text, sentence):
    path = tmp_path / "broken.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CaffegenError) as caught:
        load_plugin(path)
    said = str(caught.value)
    if text == "x = (\n" and sys.version_info < (3, 10):
        assert said.startswith(f"{path}:1:")
    else:
        assert said == f"{path}{sentence}"
    assert loaded_files() == ()


def test_a_plug_in_that_can_not_be_read(tmp_path):
    with pytest.raises(FileError, match="it can't be read: no such file"):
        load_plugin(tmp_path / "none.py")


def test_the_built_in_decorators_serve_too(tmp_path):
    from caffegen.pytorch.registry import _LOWERINGS, lowering_of

    path = tmp_path / "mine.py"
    path.write_text("from caffegen.pytorch import lowers\n@lowers('MyFold')\ndef f(d): pass\n")
    load_plugin(path)
    assert lowering_of("MyFold").__name__ == "f"
    del _LOWERINGS["MyFold"]
    path = tmp_path / "ours.py"
    path.write_text("from caffegen.pytorch import lowers\n@lowers('ReLU')\ndef f(d): pass\n")
    with pytest.raises(
        CaffegenError, match=r"ours\.py:2: `ReLU` is a layer type of caffegen's own"
    ):
        load_plugin(path)


def test_a_layer_that_nothing_lowers_is_refused(files):
    from caffegen.pytorch import Refusal, build

    without = PLUGIN.replace('@lowers("SoftShrink")', "")
    (files / "without.py").write_text(without, encoding="utf-8")
    load_plugin(files / "without.py")
    with pytest.raises(Refusal, match=r"layer `shrink` \(SoftShrink\) has no PyTorch form"):
        build(load(files / "net.prototxt"))


def test_a_fork_s_type_may_be_defined(tmp_path):
    from caffegen.plugins import Definition

    class Gram(Definition):
        """The products of channels.

        ## Shape
        (N, C, C).
        """

        type = "Gram"

        def shapes(self, bottoms):
            return [(bottoms[0][0], bottoms[0][1], bottoms[0][1])]

    text = (
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 dim: 8 } } }\n'
        'layer { name: "g" type: "Gram" bottom: "x" top: "g" }'
    )
    assert loads(text).shapes["g"] is None
    defines(Gram)
    net = loads(text)
    assert net.shapes["g"] == (1, 4, 4)
    assert [d.name for d in net.diagnostics] == ["fork-schema"]


class Entry:
    """An entry point of an installed package."""

    module = value = "folds"
    dist = None

    def __init__(self, load):
        self.load = load


def installed(monkeypatch, *loads_of_packages):
    entries = [Entry(load) for load in loads_of_packages]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: entries)
    from caffegen import plugins

    plugins._loaded.pop(plugins.GROUP, None)


def test_an_installed_plug_in_is_found_when_something_is_not_known(monkeypatch, files):
    calls = []
    installed(monkeypatch, lambda: calls.append(load_plugin(files / "soft_shrink.py")))
    loads(NET.split('layer {\n  name: "shrink"')[0])
    assert calls == []
    assert load(files / "net.prototxt").shapes["shrink"] == (2, 4, 6, 6)
    assert calls == [None]
    assert check_source(Source(NET), Options()).diagnostics == []
    assert discover() is False


def test_an_installed_plug_in_that_fails_breaks_no_net_and_is_told_of(monkeypatch):
    def fail():
        raise ImportError("no folds today")

    installed(monkeypatch, fail)
    text = (
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 } } }\n'
        'layer { name: "f" type: "Qqqq" bottom: "x" top: "f" }'
    )
    (found,) = loads(text).diagnostics
    said = "the package `folds` adds layer types by `folds`, which can't be loaded: ImportError: no folds today"
    assert (found.name, found.help) == ("unknown-layer-type", said)
    assert failures() == (said,)


def test_the_module_is_a_name_of_the_package(files):
    told = "import caffegen; caffegen.plugins.load_plugin('soft_shrink.py'); caffegen.load('net.prototxt')"
    subprocess.run([sys.executable, "-c", told], cwd=files, check=True)
    assert told.split("; ")[1].replace("'", '"') in PAGE

# ruff: noqa: ISC004 - sentences in a table
"""Architectures of other packages: real packages on the path, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = """
from caffegen import NetSpec
from caffegen import layers as L
from caffegen.zoo import Architecture, Depths, Option


def build(depth=None, classes=None):
    n = NetSpec("tiny")
    n.data = L.Input(shape=dict(dim=[1, 3, 8, 8]))
    top = n.data
    for index in range(depth or 2):
        top = n[f"conv{index}"] = L.Convolution(top, num_output=4, kernel_size=1)
    n.fc = L.InnerProduct(top, num_output=classes or 10)
    return n


ARCHITECTURE = Architecture(
    "tiny", "Tiny nets", "A. Author: Tiny nets", {"toy": Depths((2, 3), 2)},
    (Option("depth", "Layers."), Option("classes", "Classes.")), build,
)
"""


@pytest.fixture
def site(tmp_path):
    """A folder that stands for site-packages: `add` puts a package into it."""

    class Site:
        def add(self, package, entries, **modules):
            for name, text in modules.items():
                (tmp_path / f"{name}.py").write_text(text)
            info = tmp_path / f"{package.replace('-', '_')}-0.1.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n"
            )
            lines = [f"{name} = {value}\n" for name, value in entries.items()]
            (info / "entry_points.txt").write_text(
                "[caffegen.architectures]\n" + "".join(lines), encoding="utf-8"
            )

        def run(self, *arguments):
            path = os.pathsep.join([str(tmp_path), str(ROOT)])
            done = subprocess.run(
                [sys.executable, *arguments], capture_output=True, text=True, check=False,
                env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
            return done.returncode, done.stdout, done.stderr

        def caffegen(self, *arguments):
            return self.run("-m", "caffegen", *arguments)

    return Site()


def test_a_package_adds_a_command(site):
    site.add("tiny-nets", {"tiny": "tinynets"}, tinynets=TINY)
    code, out, err = site.caffegen("tiny", "--depth", "3")
    assert (code, err) == (0, "")
    assert out.startswith('# caffegen tiny --depth 3\nname: "tiny"\n')
    assert out.count('"Convolution"') == 3
    code, out, _ = site.caffegen("--help")
    assert code == 0
    assert "tiny" in out
    assert "Tiny nets: write the prototxt of one." in out
    code, out, _ = site.caffegen("tiny", "--help")
    assert "A. Author: Tiny nets" in out
    assert "toy: 2 and 3" in out
    code, out, err = site.caffegen("tiny", "--solver", "s")
    assert (code, err) == (
        2, "caffegen: --solver needs --phase train_val: a net to deploy has no loss to learn from\n",
    )  # fmt: skip


def test_an_architecture_itself_may_be_the_entry(site):
    site.add("tiny-nets", {"tiny": "tinynets:ARCHITECTURE"}, tinynets=TINY)
    assert site.caffegen("tiny")[1].startswith("# caffegen tiny --depth 2\n")


def test_the_list_has_it_with_its_figures(site):
    site.add("tiny-nets", {"tiny": "tinynets"}, tinynets=TINY)
    code, out, err = site.caffegen("architectures", "tiny", "--format", "json")
    assert (code, err) == (0, "")
    (family,) = json.loads(out)
    assert (family["name"], family["package"]) == ("tiny", "tiny-nets")
    # 3 to 4 and 4 to 4 channels with their biases; 256 values to 10 classes
    assert family["datasets"]["toy"]["figures"]["2"] == {
        "parameters": 16 + 20 + 2570, "macs": 64 * 12 + 64 * 16 + 2560,
    }  # fmt: skip


def test_the_registry_has_it(site):
    site.add("tiny-nets", {"tiny": "tinynets"}, tinynets=TINY)
    code, out, err = site.run(
        "-c",
        "from caffegen import zoo\n"
        "from caffegen.zoo.architecture import families\n"
        "assert families()[-1] == 'tiny' and families()[0] == 'resnet'\n"
        "print(zoo.architecture('tiny').build(depth=2).to_message().name)\n",
    )
    assert (code, out, err) == (0, "tiny\n", "")
    code, _, err = site.caffegen("tinny")
    assert (code, err) == (2, "caffegen: there is no command `tinny`; did you mean `tiny`?\n")


BROKEN = [
    ({"bad": "nowhere"}, {}, "the package `bad-nets` adds the architecture `bad`, which can't be "
     "loaded: ModuleNotFoundError: No module named 'nowhere'"),
    ({"bad": "badnets"}, {"badnets": "1 / 0"}, "the package `bad-nets` adds the architecture `bad`, "
     "which can't be loaded: ZeroDivisionError: division by zero"),
    ({"bad": "badnets"}, {"badnets": "import sys; sys.exit(3)"}, "the package `bad-nets` adds the "
     "architecture `bad`, which can't be loaded: SystemExit: 3"),
    ({"bad": "badnets:net"}, {"badnets": "net = 3"}, "the package `bad-nets` adds the architecture "
     "`bad`, but `badnets:net` is no Architecture (its type is int)"),
    ({"bad": "badnets"}, {"badnets": TINY}, "the package `bad-nets` adds the architecture `bad`, "
     "which names itself `tiny`"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "modules", "sentence"), BROKEN,
    ids=["no module", "raises", "exits", "no architecture", "other name"],
)  # fmt: skip
def test_a_broken_package_breaks_no_other(site, entries, modules, sentence):
    site.add("bad-nets", entries, **modules)
    site.add("tiny-nets", {"tiny": "tinynets"}, tinynets=TINY)
    for arguments in (["bad"], ["bad", "--help"], ["bad", "--depth", "5"]):
        assert site.caffegen(*arguments) == (2, "", f"caffegen: {sentence}\n")
    assert site.caffegen("tiny")[::2] == (0, "")
    code, out, err = site.caffegen("architectures", "--no-figures")
    assert (code, err) == (0, f"caffegen: {sentence}\n")
    assert "\ntiny " in out
    assert "\nresnet " in out
    assert "\nbad " not in out
    code, out, err = site.caffegen("--help")
    assert (code, err) == (0, "")
    assert "Tiny nets: write" in out


def test_a_builder_that_fails_names_its_package(site):
    text = TINY.replace("depth or 2", "depth or 2 / 0")
    site.add("tiny-nets", {"tiny": "tinynets"}, tinynets=text)
    sentence = (
        "the package `tiny-nets` adds the architecture `tiny`, which can't be built: "
        "ZeroDivisionError: division by zero"
    )
    assert site.caffegen("tiny") == (2, "", f"caffegen: {sentence}\n")
    code, out, err = site.caffegen("architectures", "tiny", "--format", "json")
    assert (code, err) == (0, "")  # all its depths are given
    assert json.loads(out)[0]["datasets"]["toy"]["figures"]["3"]["parameters"] == 36 + 2590


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("resnet", "a name that caffegen has itself; it is left out"),
        ("check", "a name that caffegen has itself; it is left out"),
        ("--tiny", "which is no name for a command; it is left out"),
        ("my net", "which is no name for a command; it is left out"),
    ],
    ids=["family", "command", "option", "space"],
)
def test_names_that_no_family_may_have(site, name, rest):
    site.add("tiny-nets", {name: "tinynets"}, tinynets=TINY)
    code, out, err = site.caffegen("architectures", "--no-figures")
    sentence = f"the package `tiny-nets` adds the architecture `{name}`, {rest}"
    assert (code, err) == (0, f"caffegen: {sentence}\n")
    assert out.count("resnet ") >= 1
    assert "Tiny" not in site.caffegen("--help")[1]


def test_two_packages_with_one_name(site):
    site.add("a-nets", {"tiny": "tinynets"}, tinynets=TINY)
    site.add("b-nets", {"tiny": "othernets"}, othernets=TINY)
    code, out, err = site.caffegen("architectures", "--no-figures")
    assert code == 0
    assert out.count("\ntiny ") == 1
    assert err in {
        f"caffegen: the package `{one}` adds the architecture `tiny`, which `{other}` adds, too; "
        "it is left out\n"
        for one, other in (("a-nets", "b-nets"), ("b-nets", "a-nets"))
    }


def test_our_own_commands_do_not_look_for_packages(site):
    site.add("bad-nets", {"bad": "badnets"}, badnets="1 / 0")
    code, _, err = site.run(
        "-c",
        "import sys\n"
        "from caffegen.cli.main import main\n"
        "try:\n"
        "    main(['resnet', '--depth', '18'])\n"
        "except SystemExit:\n"
        "    assert 'caffegen.zoo.plugins' not in sys.modules\n"
        "    assert 'importlib.metadata' not in sys.modules\n",
    )
    assert (code, err) == (0, "")

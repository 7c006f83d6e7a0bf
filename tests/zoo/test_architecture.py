from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

import caffegen.zoo
from caffegen.zoo import FAMILIES, Option, ZooError, architecture, resnet
from caffegen.zoo.architecture import check_blob, check_choice, command_line, listed, nearest_number


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_describes_itself(name):
    family = architecture(name)
    assert family.name == name
    assert family.title
    assert ": " in family.paper  # the authors, then the title
    assert family.depths
    for depths in family.depths.values():
        assert depths.usual in depths.published
    for option in family.options:
        assert option.help.endswith(".")
        assert option.default is None or not option.choices or option.default in option.choices


@pytest.mark.parametrize("name", FAMILIES)
def test_options_are_the_builders_parameters(name):
    family = architecture(name)
    parameters = inspect.signature(family.build).parameters
    assert {option.name: option.default for option in family.options} == {
        key: parameter.default for key, parameter in parameters.items()
    }
    assert {"classes", "input_size", "batch", "phase", "data"} <= set(parameters)
    # every module can be called by the name of its family, and is listed
    assert getattr(caffegen.zoo, name).ARCHITECTURE is family
    assert name in caffegen.zoo.__all__


def test_no_family_of_that_name():
    with pytest.raises(ZooError, match=r"there is no family `resnt`; did you mean `resnet`\?"):
        architecture("resnt")


@pytest.mark.parametrize("value", [2, "2"], ids=repr)
def test_a_number_is_the_choice_that_is_written_as_it_is(value):
    assert check_choice("version", value, ("1", "2")) == "2"
    assert check_choice("width", 1.5, ("0.5", "1.5")) == "1.5"


@pytest.mark.parametrize("value", [3, 2.0, True, "two"], ids=repr)
def test_other_numbers_are_no_choice(value):
    with pytest.raises(ZooError, match=f"^there is no version `{value}`; there is 1 and 2$"):
        check_choice("version", value, ("1", "2"))


@pytest.mark.parametrize(
    ("family", "options"),
    [("mobilenet", {"version": 2}), ("shufflenet", {"version": 2}), ("shufflenet", {"groups": 8}),
     ("squeezenet", {"version": 1.1})],
    ids=str,
)  # fmt: skip
def test_versions_may_be_numbers(family, options):
    words = {key: str(value) for key, value in options.items()}
    build = architecture(family).build
    assert build(**options).to_prototxt() == build(**words).to_prototxt()


@pytest.mark.parametrize(
    ("values", "command"),
    [
        ({}, "caffegen resnet --depth 101"),
        ({"depth": 50}, "caffegen resnet --depth 50"),
        ({"depth": None, "dataset": "cifar10"}, "caffegen resnet --depth 110 --dataset cifar10"),
        ({"plain": True, "depth": 18}, "caffegen resnet --depth 18 --plain"),
        ({"style": "original", "phase": "deploy"}, "caffegen resnet --depth 101"),
        ({"phase": "train_val", "input_size": 64, "shortcut": "C"},
         "caffegen resnet --depth 101 --shortcut C --input-size 64 --phase train_val"),
    ],
    ids=lambda value: value.partition("resnet ")[2] if isinstance(value, str) else "",
)  # fmt: skip
def test_the_shortest_command(values, command):
    assert command_line(architecture("resnet"), values) == command


@pytest.mark.parametrize(
    ("values", "command"),
    [
        ({}, "caffegen vgg --depth 16"),
        ({"configuration": "C"}, "caffegen vgg --configuration C"),
        ({"configuration": "E", "depth": 19}, "caffegen vgg --depth 19 --configuration E"),
    ],
    ids=["depth", "configuration", "both"],
)
def test_an_option_that_sets_the_depth(values, command):
    assert command_line(architecture("vgg"), values) == command


def test_flags_are_written_with_hyphens():
    assert Option("input_size", "").flag == "--input-size"


def test_words():
    assert listed(["a"]) == "a"
    assert listed("abc") == "a, b and c"
    assert nearest_number(26, (18, 34)) == 18


def test_blobs_that_caffe_can_count():
    check_blob(1, 0x7FFFFFFF, 1)
    with pytest.raises(ZooError, match="a blob of 2x1073741824x1x1 holds 2147483648 values"):
        check_blob(2, 1 << 30, 1)


def test_a_family_is_imported_when_it_is_used():
    code = (
        "import sys, caffegen.zoo\n"
        "assert 'caffegen.zoo.resnet' not in sys.modules\n"
        "caffegen.zoo.resnet\n"
        "assert 'caffegen.zoo.resnet' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_numpy_s_integers_are_whole_numbers():
    plain = resnet(depth=20, dataset="cifar10", classes=7, input_size=16, batch=3)
    numbers = {"depth": 20, "classes": 7, "input_size": 16, "batch": 3}
    given = {name: np.int64(number) for name, number in numbers.items()}
    assert resnet(dataset="cifar10", **given).to_prototxt() == plain.to_prototxt()


@pytest.mark.parametrize("value", [True, np.bool_(True), 20.0, np.float64(20), "20", [20], 0, np.int8(-1)])  # fmt: skip
def test_what_is_no_whole_number(value):
    with pytest.raises(ZooError) as refused:
        resnet(depth=value, dataset="cifar10")
    assert str(refused.value) == f"the depth is a whole number of at least 1, found {value!r}"


FLAGS = [
    (name, option.name)
    for name in FAMILIES
    for option in architecture(name).options
    if option.default is False
]


@pytest.mark.parametrize(("name", "flag"), FLAGS)
@pytest.mark.parametrize("value", ["False", 0, 1, None], ids=repr)
def test_a_flag_is_true_or_false(name, flag, value):
    with pytest.raises(ZooError) as refused:
        getattr(caffegen.zoo, name)(**{flag: value})
    assert str(refused.value) == f"`{flag}` is True or False, found {value!r}"


def test_families_are_listed_before_their_use():
    told = "import caffegen.zoo; print(*dir(caffegen.zoo))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert {*FAMILIES, "ZooError", "__name__"} <= set(done.stdout.split())

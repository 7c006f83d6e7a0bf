from __future__ import annotations

import pytest

from caffegen.zoo import resnext


def convolutions(*args, **kwargs):
    return {
        x.name: x.convolution_param
        for x in resnext(*args, **kwargs).to_message().layer
        if x.type == "Convolution"
    }


# Table 1, ResNeXt-50 (32x4d): the widths inside a block, and its groups
@pytest.mark.parametrize(
    ("stage", "inner", "outer"), [(1, 128, 256), (2, 256, 512), (3, 512, 1024), (4, 1024, 2048)]
)
def test_table_1(stage, inner, outer):
    made = convolutions(50)
    widths = [made[f"layer{stage}_0_conv{n}"].num_output for n in (1, 2, 3)]
    assert widths == [inner, inner, outer]
    assert [made[f"layer{stage}_0_conv{n}"].group for n in (1, 2, 3)] == [1, 32, 1]


# Table 2: a path less wide in exchange for more of them costs the same
@pytest.mark.parametrize(
    ("cardinality", "width", "inner"), [(1, 64, 64), (2, 40, 80), (4, 24, 96), (8, 14, 112), (32, 4, 128)]
)  # fmt: skip
def test_table_2(cardinality, width, inner):
    made = convolutions(50, cardinality=cardinality, path_width=width)["layer1_0_conv2"]
    assert (made.num_output, made.group) == (inner, cardinality)


def test_one_path_of_64_is_a_residual_network():
    from caffegen.zoo import resnet

    single = resnext(50, cardinality=1, path_width=64).to_message()
    residual = resnet(50, style="torchvision").to_message()
    assert list(single.layer) == list(residual.layer)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "ResNeXt-50 (32x4d)"),
        ({"depth": 101}, "ResNeXt-101 (32x8d)"),
        ({"depth": 101, "cardinality": 64, "path_width": 4}, "ResNeXt-101 (64x4d)"),
        ({"dataset": "cifar10"}, "ResNeXt-29 (8x64d) CIFAR-10"),
        ({"dataset": "cifar100", "cardinality": 16}, "ResNeXt-29 (16x64d) CIFAR-100"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_say_paths_and_width(options, name):
    assert resnext(**options).to_message().name == name


def test_the_stride_is_in_the_3x3():
    strided = [name for name, param in convolutions(50).items() if list(param.stride) == [2]]
    assert strided[:3] == ["conv1", "layer2_0_downsample_0", "layer2_0_conv2"]

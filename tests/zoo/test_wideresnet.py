from __future__ import annotations

import pytest

import caffegen
from caffegen.analysis.summary import summarize
from caffegen.zoo import resnet, wideresnet


def layers(*args, **kwargs):
    return {x.name: x for x in wideresnet(*args, **kwargs).to_message().layer}


@pytest.mark.parametrize(("depth", "widen"), [(16, 8), (22, 8), (28, 10), (40, 4), (10, 1)])
def test_the_depth_counts_projections(depth, widen):
    made = layers(depth, widen=widen)
    convolutions = [x for x in made.values() if x.type == "Convolution"]
    # at width 1 the first stage has nothing to project; the paper counts it all the same
    assert len(convolutions) == depth - (widen == 1)


# Table 1 at k = 10
@pytest.mark.parametrize(("stage", "width"), [(2, 160), (3, 320), (4, 640)])
def test_table_1(stage, width):
    made = layers()
    names = [f"res{stage}{letter}_branch2{half}" for letter in "abcd" for half in "ab"]
    assert [made[name].convolution_param.num_output for name in names] == [width] * 8
    assert f"res{stage}e" not in made


# The authors' PyTorch code counts 36,479,194 parameters in WRN-28-10 for CIFAR-10
def test_parameters_of_28_10():
    assert summarize(caffegen.loads(wideresnet()).graph).params == 36_479_194


def test_dropout_stands_between_the_convolutions_of_every_block():
    with_dropout, without = layers(16, dropout=True), layers(16)
    added = [name for name in with_dropout if name not in without]
    assert added == [f"res{s}{b}_branch2b_dropout" for s in (2, 3, 4) for b in "ab"]
    ratios = [with_dropout[name].dropout_param.dropout_ratio for name in added]
    assert ratios == [pytest.approx(0.3)] * 6
    names = list(with_dropout)
    at = names.index(added[0])
    assert names[at - 1 : at + 2] == ["res2a_branch2b_relu", added[0], "res2a_branch2b"]


def test_nothing_is_activated_between_the_first_convolution_and_the_first_block():
    assert [x.name for x in list(layers(10, widen=1).values())[1:5]] == [
        "conv1", "bn2a_branch2a", "scale2a_branch2a", "res2a_branch2a_relu",
    ]  # fmt: skip


def test_at_width_1_the_net_for_imagenet_is_a_residual_network():
    single = wideresnet(50, "imagenet", widen=1).to_message()
    assert list(single.layer) == list(resnet(50, style="torchvision").to_message().layer)

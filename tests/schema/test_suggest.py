"""What was probably meant: spelling, other frameworks' words, slips; and silence where nothing is near."""

import pytest

from caffegen.schema.suggest import _FOREIGN, nearest
from caffegen.schema.tables import MESSAGES

TYPES = [
    "AbsVal", "ArgMax", "BNLL", "BatchNorm", "Concat", "Convolution", "Deconvolution", "Dropout", "ELU",
    "Eltwise", "Embed", "EuclideanLoss", "ImageData", "InnerProduct", "Input", "LRN", "LSTM", "Parameter",
    "Pooling", "PReLU", "Python", "ReLU", "Reduction", "Reshape", "SPP", "Scale", "Sigmoid", "Slice",
    "Softmax", "SoftmaxWithLoss", "TanH", "Tile",
]  # fmt: skip


def fields(name):
    return [row[0] for row in MESSAGES[name]]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Relu", "ReLU"),
        ("tanh", "TanH"),
        ("INNER_PRODUCT", "InnerProduct"),
        ("Batch-Norm", "BatchNorm"),
        ("BatchNormalization", "BatchNorm"),
        ("Conv", "Convolution"),
        ("Conv2d", "Convolution"),
        ("Conv2DTranspose", "Deconvolution"),
        ("DepthwiseConvolution", "Convolution"),
        ("Dense", "InnerProduct"),
        ("MaxPool", "Pooling"),
        ("SOFTMAX_LOSS", "SoftmaxWithLoss"),
        ("Convlution", "Convolution"),
        ("Dropuot", "Dropout"),
        ("SoftmaxWithLosss", "SoftmaxWithLoss"),
        ("SofmtaxWithLos", "SoftmaxWithLoss"),
        ("Convolution3D", "Convolution"),
        ("Convol", "Convolution"),
    ],
)
def test_layer_types(word, meant):
    assert nearest(word, TYPES) == meant


@pytest.mark.parametrize(
    ("message", "word", "meant"),
    [
        ("ConvolutionParameter", "kernelsize", "kernel_size"),
        ("ConvolutionParameter", "kernal_size", "kernel_size"),
        ("ConvolutionParameter", "padding", "pad"),
        ("ConvolutionParameter", "bias", "bias_term"),
        ("PoolingParameter", "ceil_mode", "round_mode"),
        ("SolverParameter", "test_intervall", "test_interval"),
        ("SolverParameter", "weight_decay", "weight_decay"),
        ("LayerParameter", "weight_decay", "param"),
        ("LayerParameter", "conv_param", "convolution_param"),
        ("LayerParameter", "bn_param", "batch_norm_param"),
        ("LayerParameter", "params", "param"),
    ],
)
def test_fields(message, word, meant):
    assert nearest(word, fields(message)) == meant


@pytest.mark.parametrize(
    "word",
    ["Permute", "ROIPooling", "Interp", "PriorBox", "Normalize", "Axpy", "Resample", "LpqLoss",
     "EntropyLoss", "SoftmaxCrossEntropy2Loss", "OuterProduct", ""],
)  # fmt: skip
def test_types_of_forks_have_nothing_near(word):
    assert nearest(word, TYPES) is None


@pytest.mark.parametrize(
    "word",
    ["permute_param", "interp_param", "upsample_param", "norm_param", "detection_loss_param",
     "l1_loss_param"],
)  # fmt: skip
def test_what_all_parameter_fields_share_makes_none_near(word):
    assert nearest(word, fields("LayerParameter")) is None


def test_a_foreign_name_needs_its_candidate():
    assert nearest("Dense", ["Convolution"]) is None


def test_the_first_of_two_that_differ_in_case_only():
    assert nearest("CONV1", ["conv1", "Conv1"]) == "conv1"


def test_no_candidates():
    assert nearest("Relu", []) is None


def test_candidates_may_be_an_iterator():
    assert nearest("Convlution", iter(TYPES)) == "Convolution"


def test_among_very_many_candidates_slips_are_not_looked_for():
    names = [f"res{n}_branch2a" for n in range(2001)]
    assert nearest("rse9_branch2a", names[:2000]) == "res9_branch2a"
    assert nearest("rse9_branch2a", names) is None
    assert nearest("RES9_branch2a", names) == "res9_branch2a"


def test_foreign_names_lead_to_names_of_caffe():
    known = {row[0] for rows in MESSAGES.values() for row in rows}
    # these have no message of their own
    known |= {"Deconvolution", "EuclideanLoss", "SoftmaxWithLoss"}
    known |= {name.removesuffix("Parameter") for name in MESSAGES}
    assert set(_FOREIGN.values()) <= known

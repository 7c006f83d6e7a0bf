"""The definitions: what each Caffe layer is. One family per file; this is the registry.

A family's module is imported when the first of its layer types is asked for.
"""

from __future__ import annotations

from importlib import import_module

from caffegen.text import Message

from .base import BlobSpec, Cost, Count, Definition, Refused, Shape, Window, count

__all__ = [
    "FAMILIES",
    "FED",
    "PYTHON_LAYERS",
    "BlobSpec",
    "Cost",
    "Count",
    "Definition",
    "Refused",
    "Shape",
    "Window",
    "count",
    "definition_class",
    "definition_of",
    "known_types",
    "register",
]

# family file -> the layer types it defines
FAMILIES: dict[str, tuple[str, ...]] = {
    "activation": (
        "AbsVal", "BNLL", "Clip", "Dropout", "ELU", "Exp", "Log", "PReLU", "Power", "ReLU",
        "Sigmoid", "Swish", "TanH", "Threshold",
    ),
    "annotated_images": (
        "BoxData", "CPMData", "DenseImageData", "DetectNetTransformation", "ImageSegData",
        "MultiLabelImageData", "RandVec", "RemoteData", "SegData", "VideoData",
    ),
    "bn": ("BN", "SyncBN"),
    "branching": ("Concat", "Silence", "Slice", "Split"),
    "convolution": (
        "Convolution", "ConvolutionDepthwise", "Deconvolution", "DepthwiseConvolution", "Im2col",
    ),
    "cross_entropy": ("InfogainLoss", "SigmoidCrossEntropyLoss", "SoftmaxWithLoss"),
    "data": ("AnnotatedData", "Data", "HDF5Data", "HDF5Output", "ImageData", "WindowData"),
    "detection": ("DetectionEvaluate", "DetectionOutput"),
    "elementwise": ("Bias", "Eltwise", "Scale"),
    "face_features": ("ChannelScale", "InnerDistance"),
    "given": ("DummyData", "Input", "MemoryData"),
    "inner_product": ("Embed", "InnerProduct"),
    "labelled_pictures": ("BboxData", "DocData", "LaneData", "MultiLabelData", "SparseData"),
    "landmarks": ("Hotspot", "SubRegion"),
    "local": ("Local", "SparseInnerProduct"),
    "loss": ("ContrastiveLoss", "EuclideanLoss", "HingeLoss", "MultinomialLogisticLoss"),
    "metric": ("Accuracy", "ArgMax"),
    "metric_loss": ("CenterLoss", "L1Loss", "TripletLoss"),
    "multibox_loss": ("MultiBoxLoss",),
    "normalization": ("BatchNorm", "LRN", "MVN"),
    "normalize": ("L2Norm", "Normalize", "NormalizeBBox"),
    "noisy_activation": ("Insanity", "SeLuDropout"),
    "ohem": ("BoxAnnotatorOHEM", "SmoothL1LossOHEM", "SoftmaxWithLossOHEM"),
    "pairwise_loss": (
        "PairwiseLoss", "QuantizationLoss", "SVRLoss", "SqueezeDetLoss", "WassersteinLoss",
        "XCovLoss",
    ),
    "pooling": ("Pooling", "SPP"),
    "prior_box": ("PriorBox",),
    "products": ("Axpy", "MatMul"),
    "proposal": ("Proposal", "rpn.proposal_layer.ProposalLayer"),
    "python": ("Parameter", "Python"),
    "rectifiers": (
        "CReLU", "HardSigmoid", "HardSwish", "Mish", "ReLU6", "SeLu", "SpatialDropout",
        "spatial_dropout.SpatialDropoutLayer",
    ),
    "recurrent": ("LSTM", "LSTMUnit", "RNN"),
    "reduction": ("Reduction", "Softmax"),
    "reordering": (
        "Flip", "Gather", "Padding", "Permute", "Reorg", "Reverse", "ShuffleChannel", "Transpose",
    ),
    "reshaping": ("Flatten", "Reshape", "Tile"),
    "resizing": ("Interp", "Resize", "SimpleCrop", "Upsample"),
    "roi": ("PSROIPooling", "ROIAlign", "ROIPooling"),
    "selecting": ("BatchReindex", "Crop", "Filter"),
    "seg_accuracy": ("SegAccuracy",),
    "segmentation": (
        "AssistedExcitation", "ConfusionMatrix", "MultiStageMeanfield", "SegmentationEvaluate",
    ),
    "sequence": ("CTCLoss", "ContinuationIndicator", "CtcLoss", "LabelsequenceAccuracy"),
    "unpooling": ("MaxUnpool", "UnPooling", "Unpooling"),
    "yolo": ("RegionOutput", "YoloDetectionOutput", "Yolov3DetectionOutput"),
    "yolo_training": ("EvalDetection", "RegionLoss", "YoloSeg", "Yolov3"),
    "smooth_l1_loss": ("SmoothL1Loss",),
}  # fmt: skip

# Python layers that have a definition of their own: `module.layer` -> its type in FAMILIES. Such a
# type is a dotted name too (no layer's `type` is), and its class bears the last part of it.
PYTHON_LAYERS: dict[str, str] = {
    "rpn.proposal_layer.ProposalLayer": "rpn.proposal_layer.ProposalLayer",
    "spatial_dropout.SpatialDropoutLayer": "spatial_dropout.SpatialDropoutLayer",
}

# layers whose tops come from outside: the caller feeds them; DummyData makes its own where nobody does
FED = frozenset({
    "AnnotatedData", "BboxData", "BoxData", "CPMData", "Data", "DenseImageData", "DocData", "HDF5Data",
    "ImageData", "ImageSegData", "Input", "LaneData", "MemoryData", "MultiLabelData",
    "MultiLabelImageData", "RandVec", "RemoteData", "SegData", "SparseData", "VideoData", "WindowData",
})  # fmt: skip

_FAMILY_OF = {type_name: family for family, names in FAMILIES.items() for type_name in names}
_CLASSES: dict[str, type[Definition]] = {}


def definition_class(type_name: str) -> type[Definition] | None:
    """The definition of a layer type; None when there is none of that name."""
    found = _CLASSES.get(type_name)
    if found is None:
        family = _FAMILY_OF.get(type_name)
        if family is None:
            from caffegen.plugins import discover

            return _CLASSES.get(type_name) if discover() else None
        module = import_module(f"{__name__}.{family}")
        found = _CLASSES[type_name] = getattr(module, type_name.rpartition(".")[2])
    return found


def definition_of(layer: Message) -> type[Definition] | None:
    """The definition of a layer; a well-known Python layer has one by its module and its class."""
    type_name: str = layer.type
    if type_name == "Python":
        param = layer.python_param
        type_name = PYTHON_LAYERS.get(f"{param.module}.{param.layer}", type_name)
    return definition_class(type_name)


def register(definition: type[Definition]) -> None:
    """Add the definition of a plug-in."""
    _CLASSES[definition.type] = definition


def known_types() -> list[str]:
    """All layer types of caffegen's own that have a definition, sorted."""
    return sorted(_FAMILY_OF)

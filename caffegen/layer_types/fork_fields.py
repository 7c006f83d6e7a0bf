"""What the fields that forks add to BVLC's own layers do to the result, and so to the conversion.

A definition honours such a field, or the field is a hint to the machine, or it changes what the
layer computes in a way that caffegen does not compute: then the layer has an `obstacle`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from caffegen.text import Message

__all__ = [
    "CHANGES",
    "HINTS",
    "HONOURED",
    "JOINS",
    "REBLOBS",
    "REPLACES",
    "RESHAPES",
    "foreign_effects",
]

#: Read by the definitions.
HONOURED = frozenset(
    {
        "BatchNormParameter.bias_filler", "BatchNormParameter.scale_bias",
        "BatchNormParameter.scale_filler", "DropoutParameter.scale_train",
        "InterpParameter.use_blob_size", "ParameterParameter.blob_filler",
        "PoolingParameter.ceil_mode",
    }
)  # fmt: skip

#: Where and how fast a layer runs, what only learning looks at, or what another field switches on.
HINTS = frozenset(
    {
        "AccuracyParameter.min_is_better", "BatchNormParameter.engine",
        "BatchNormParameter.stats_batch_size", "BatchNormParameter.update_global_stats",
        "ConcatParameter.engine", "ConvolutionParameter.coeff",
        "ConvolutionParameter.conv_algorithm", "ConvolutionParameter.conv_algos_override",
        "ConvolutionParameter.cudnn_convolution_algo_seeker",
        "ConvolutionParameter.cudnn_worspace_allow_on_groups",
        "ConvolutionParameter.eltwise_both_ints", "ConvolutionParameter.eltwise_param",
        "ConvolutionParameter.mem_group_size", "ConvolutionParameter.negative_slope",
        "ConvolutionParameter.out_pad", "ConvolutionParameter.relu_param",
        "ConvolutionParameter.reorg_input", "ConvolutionParameter.reorg_output",
        "ConvolutionParameter.sparse_output", "DropoutParameter.engine",
        "DropoutParameter.random_seed", "EltwiseParameter.engine", "InnerProductParameter.engine",
        "InnerProductParameter.negative_slope", "InnerProductParameter.output_contains_predictions",
        "InnerProductParameter.sigma_init", "LRNParameter.pooling_param",
        "LRNParameter.unit_test_fuse_kernel", "LRNParameter.unit_test_mode",
        "LossParameter.pre_fixed_normalizer", "PoolingParameter.blobs_a_min",
        "PoolingParameter.blobs_lr", "ReLUParameter.fuse",
        "RecurrentParameter.cudnn_enable_tensor_cores", "RecurrentParameter.dropout_seed",
        "RecurrentParameter.engine", "RecurrentParameter.use_cudnn_rnn8_if_supported",
        "ReductionParameter.k", "SoftmaxParameter.hard_mining_label",
    }
)  # fmt: skip

#: What a value other than the fork's default changes.
CHANGES: dict[str, str] = {
    "AccuracyParameter.enable_simple_accuracy": "hits are counted in another way",
    "BatchNormParameter.bias_term": "it says whether the layer has a bias of its own",
    "BatchNormParameter.disable_mean": "the mean is not taken off",
    "BatchNormParameter.disable_variance": "the values are not divided by their deviation",
    "BatchNormParameter.filler": "the layer has a factor of its own",
    "BatchNormParameter.fused_relu": "a ReLU is part of the layer",
    "BatchNormParameter.relu": "a ReLU is part of the layer",
    "BatchNormParameter.use_weight_bias": "it says whether the layer has a factor and a bias",
    "ConcatParameter.per_fla_fuse": "a Permute and a Flatten are part of the layer",
    "ContrastiveLossParameter.output_matches": "a second top says which pairs match",
    "ConvolutionParameter.dilation_h": "it is the dilation; write `dilation` once for each axis",
    "ConvolutionParameter.dilation_w": "it is the dilation; write `dilation` once for each axis",
    "ConvolutionParameter.filter_stride": "it is the dilation; write `dilation`",
    "ConvolutionParameter.filter_stride_h": "it is the dilation; write `dilation`",
    "ConvolutionParameter.filter_stride_w": "it is the dilation; write `dilation`",
    "ConvolutionParameter.fuse_type": "other layers are part of this one",
    "ConvolutionParameter.fusion_type": "a sum with another blob is part of the layer",
    "ConvolutionParameter.is_eltwise_sum": "a sum with another blob is part of the layer",
    "ConvolutionParameter.is_int8_output": "the top is rounded to 8 bits",
    "ConvolutionParameter.is_relu": "a ReLU is part of the layer; write it as one of its own",
    "ConvolutionParameter.relu": "a ReLU is part of the layer; write it as one of its own",
    "ConvolutionParameter.shape_offset": "it changes the size of the top",
    "CropParameter.blob_name": "the offset is that of another layer",
    "DetectionOutputParameter.biases": "the boxes are those of YOLO",
    "DetectionOutputParameter.coords": "the boxes are those of YOLO",
    "DetectionOutputParameter.nms_threshold": "it is one of `nms_param`; write it there",
    "DetectionOutputParameter.top_k": "it is one of `nms_param`; write it there",
    "DropoutParameter.sample_weights_test": "values are dropped in TEST as well",
    "DropoutParameter.scale_test": "it says whether values are scaled in TEST",
    "DropoutParameter.sqrt_scale": "values are scaled by the root of the usual factor",
    "ELUParameter.lambda": "the result is scaled by it",
    "EltwiseParameter.allow_single_batch_input": "a bottom of one item is spread over the batch",
    "InnerProductParameter.enable_noise": "noise is added to the weights",
    "InnerProductParameter.min_top_axes": "the top has that many axes",
    "InnerProductParameter.normalize": "the weights are normalised first",
    "InnerProductParameter.relu": "a ReLU is part of the layer; write it as one of its own",
    "LRNParameter.fuse_type": "a Pooling is part of the layer",
    "LossParameter.class_weighting": "the classes are weighted",
    "LossParameter.label_smoothing": "the labels are smoothed",
    "LossParameter.normalization: PRE_FIXED": "the loss is divided by `pre_fixed_normalizer`",
    "LossParameter.weight_by_label_freqs": "the classes are weighted",
    "MultiBoxLossParameter.normalize": "the loss is not divided by the number of matches",
    "PoolingParameter.avg_include_pad": "averages leave the padding out",
    "PoolingParameter.axis": "another axis is pooled",
    "PoolingParameter.bin_h": "it sets the number of windows",
    "PoolingParameter.bin_size": "it sets the number of windows",
    "PoolingParameter.bin_w": "it sets the number of windows",
    "PoolingParameter.dilation": "the windows have gaps",
    "PoolingParameter.fused_eltwise": "a sum with another blob is part of the layer",
    "PoolingParameter.is_int8": "the values are rounded to 8 bits",
    "PoolingParameter.kernel_size_3d": "the windows have three axes",
    "PoolingParameter.pad_3d": "the windows have three axes",
    "PoolingParameter.stride_3d": "the windows have three axes",
    "PoolingParameter.torch_pooling": "the size of the top is rounded as in Torch",
    "PriorBoxParameter.additional_y_offset": "each place has further boxes, half a step below",
    "PriorBoxParameter.offset_h": "it is the offset of the boxes, or several are",
    "PriorBoxParameter.offset_w": "it is the offset of the boxes, or several are",
    "RecurrentParameter.auto_repeat_hidden_states_across_layers": "the layers begin with one state",
    "RecurrentParameter.batch_first": "the first axis of the bottoms is that of the batch",
    "RecurrentParameter.bidirectional": "the sequence is read backwards as well",
    "RecurrentParameter.dropout_ratio": "values are dropped between stacked layers",
    "RecurrentParameter.expose_hidden_input": "the first state is a bottom",
    "RecurrentParameter.expose_hidden_output": "the last state is a top",
    "RecurrentParameter.num_layers": "several layers are stacked",
    "ReshapeParameter.pixelshuffler": "channels become pixels",
    "ScaleParameter.max_value": "the factors are held below it",
    "ScaleParameter.min_value": "the factors are held above it",
    "SoftmaxParameter.algorithm: LOG": "the top is the logarithm of the softmax",
    "SoftmaxParameter.algorithm_train: LOG": "in TRAIN the top is the logarithm of the softmax",
    "SoftmaxParameter.class_weight": "the classes are weighted",
    "SoftmaxParameter.cutting_point": "the loss is cut off",
    "SoftmaxParameter.hard_ratio": "only the hardest positions count",
    "SoftmaxParameter.label_smooth_factor": "the labels are smoothed",
    "SoftmaxParameter.margin": "a margin is taken off the label's score",
    "SoftmaxParameter.normalize_type": "the normalisation is another one",
    "TripletLossParameter.alpha": "it is the margin of another loss",
    "UnPoolingParameter.pool": "it says which pooling is undone",
    "YoloDetectionOutputParameter.ssd_format": "the rows have another order",
}
_WORD = "it is a computation that caffegen does not have"

#: Those of CHANGES that add further bottoms to the top, which is shaped by the first alone.
JOINS = frozenset(
    {
        "ConvolutionParameter.fusion_type", "ConvolutionParameter.is_eltwise_sum",
        "PoolingParameter.fused_eltwise",
    }
)  # fmt: skip

#: Those of CHANGES that change the shape of a top.
RESHAPES = frozenset(
    f"{owner}Parameter.{field}"
    for owner, fields in {
        "Convolution": (
            "dilation_h dilation_w filter_stride filter_stride_h filter_stride_w shape_offset"
        ),
        "Crop": "blob_name",
        "Eltwise": "allow_single_batch_input",
        "InnerProduct": "min_top_axes",
        "Pooling": (
            "axis bin_h bin_size bin_w dilation kernel_size_3d pad_3d stride_3d torch_pooling"
        ),
        "PriorBox": "additional_y_offset offset_h offset_w",
        "Recurrent": "batch_first",
        "Reshape": "pixelshuffler",
    }.items()
    for field in fields.split()
)

#: Those of RESHAPES beside which other parameters may be missing, or mean something else.
REPLACES = frozenset(key for key in RESHAPES if key.startswith("Pooling"))

#: Those of CHANGES that may give the layer more weight blobs.
REBLOBS = frozenset(
    {
        "BatchNormParameter.bias_term", "BatchNormParameter.filler",
        "BatchNormParameter.use_weight_bias", "ConvolutionParameter.fuse_type",
        "RecurrentParameter.bidirectional", "RecurrentParameter.num_layers",
    }
)  # fmt: skip


def foreign_effects(layer: Message, params: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Each fork's field in these parameters that changes the result: its key, its name, what it does.

    `params` are the fields of LayerParameter that the definition reads.
    """
    for name in params:
        if name not in layer._values:
            continue
        param: Message = layer._values[name]
        fields = param.message_type.fields
        for field_name in param.message_type.telling & param._values.keys():
            field, value = fields[field_name], param._values[field_name]
            key = f"{param.message_type.name}.{field_name}"
            words = value if field.repeated else (value,)
            foreign = (
                [word for word in words if word in field.type.forks] if field.kind == "enum" else ()
            )
            if foreign:
                # an `engine` says where a layer runs, another word what it computes
                if field_name != "engine":
                    yield key, f"{name}.{field_name}", CHANGES.get(f"{key}: {foreign[0]}", _WORD)
            elif field.forks is not None and not _is_default(field, value):
                change = CHANGES.get(f"{key}: {value}" if field.kind == "enum" else key)
                change = change or CHANGES.get(key)
                if change:
                    yield key, f"{name}.{field_name}", change


def _is_default(field: Any, value: Any) -> bool:
    return bool(not field.repeated and field.kind != "message" and value == field.default)

"""Fields that stand in files where no Caffe of today reads them: misspelt, misplaced, or given up.

They are rows of `forks.py` like those of a fork, so that a text with one is read and carried on
whole; the dialect's report says of each that nothing reads it.
"""

from __future__ import annotations

__all__ = ["STRAYS"]

#: `Message.field` -> why nothing reads it, and what to write instead.
STRAYS: dict[str, tuple[str, str]] = {
    "DataParameter.transform_param": (
        "it is one of the layer; Caffe read it here in August 2014 alone",
        "move it out of `data_param`",
    ),
    "ImageDataParameter.transform_param": (
        "it is one of the layer; Caffe read it here in August 2014 alone",
        "move it out of `image_data_param`",
    ),
    "LayerParameter.force_backward": ("it is one of the net", "move it out of the layer"),
    "LayerParameter.input_shape": (
        "it is one of the net",
        "write `input_param { shape { ... } }` in an Input layer",
    ),
    "MemoryDataParameter.share_in_parallel": ("it is one of `python_param`", "remove it"),
    "MemoryDataParameter.source": (
        "MemoryData gets its data from the program, not from a source",
        "remove it, or take a Data layer",
    ),
    "NetParameter.bottom": (
        "the inputs of a net bore this name in September 2013",
        "write `input`, and a shape for it",
    ),
    "NetParameter.version": (
        "it was added in March 2014 and given up at once, without effect",
        "remove it",
    ),
    "PoolingParameter.norm_region": ("it is one of `lrn_param`", "move it to an LRN layer"),
    "SolverParameter.stepearly": (
        'no published Caffe has the policy `lr_policy: "stepearly"` that it belongs to',
        "take another `lr_policy`",
    ),
    "SolverParameter.test_intervall": (
        "it is misspelt, and the solver's `test_interval` stays unset",
        "write `test_interval`",
    ),
}

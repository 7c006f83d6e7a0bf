"""Old nets of every kind, for properties: lists of words that stand between spaces."""

from __future__ import annotations

from hypothesis import strategies as st

from caffegen.legacy import V1_TYPE_NAMES

names = st.sampled_from(["a", "b", "c", "data"])
numbers = st.integers(0, 9).map(str)


def _scalar(name, values):
    return values.map(lambda value: [f"{name}:", value])


def _quoted(name):
    return _scalar(name, names.map(lambda word: f'"{word}"'))


def _unique(fields):
    return st.lists(fields, max_size=5, unique_by=lambda words: words[0])


def _block(name, *fields):
    inner = _unique(st.one_of(*fields)) if fields else st.just([])
    return inner.map(lambda found: [name, "{", *(w for words in found for w in words), "}"])


_TRANSFORMED = (
    _scalar("scale", st.just("0.5")), _scalar("mirror", st.just("true")),
    _scalar("crop_size", numbers), _quoted("mean_file"),
)  # fmt: skip

v1_fields = st.one_of(
    _quoted("name"), _scalar("type", st.sampled_from([t for t in V1_TYPE_NAMES if isinstance(t, str)])),
    _block("data_param", _quoted("source"), *_TRANSFORMED),
    _block("image_data_param", _quoted("source"), *_TRANSFORMED),
    _block("transform_param", *_TRANSFORMED),
    _block("convolution_param", _scalar("num_output", numbers), _block("weight_filler")),
)  # fmt: skip
v1_repeated = st.one_of(
    _quoted("bottom"), _quoted("top"), _quoted("param"), _scalar("blobs_lr", numbers),
    _scalar("weight_decay", numbers), _scalar("blob_share_mode", st.just("PERMISSIVE")),
    _scalar("loss_weight", numbers), _block("include", _scalar("phase", st.just("TEST"))),
)  # fmt: skip
v0_fields = st.one_of(
    _quoted("name"), _scalar("type", st.sampled_from(
        ['"conv"', '"pool"', '"padding"', '"data"', '"images"', '"relu"', '"lrn"', '"nothing"']
    )),
    *(_scalar(n, numbers) for n in ("num_output", "kernelsize", "pad", "stride", "new_num", "batchsize")),
    _scalar("new_height", st.sampled_from(["7", "-7"])), _scalar("scale", numbers),
    _block("weight_filler"), _quoted("meanfile"),
)  # fmt: skip


@st.composite
def _v1_layer(draw):
    found = draw(_unique(v1_fields)) + draw(st.lists(v1_repeated, max_size=6))
    return ["layers", "{", *(w for words in draw(st.permutations(found)) for w in words), "}"]


@st.composite
def _v0_layer(draw):
    nested = [w for words in draw(_unique(v0_fields)) for w in words]
    nested += [
        w for words in draw(st.lists(_scalar("blobs_lr", numbers), max_size=2)) for w in words
    ]
    blobs = st.lists(st.one_of(_quoted("bottom"), _quoted("top")), max_size=3)
    outer = [["layer", "{", *nested, "}"], *draw(blobs)]
    return ["layers", "{", *(w for words in draw(st.permutations(outer)) for w in words), "}"]


@st.composite
def _layer(draw):
    kind = draw(st.sampled_from(['"ReLU"', '"BatchNorm"']))
    specs = draw(st.lists(_block("param", _scalar("lr_mult", numbers)), max_size=4))
    return ["layer", "{", "type:", kind, *(w for words in specs for w in words), "}"]


_net_fields = st.one_of(
    _quoted("input"), _scalar("input_dim", numbers), _block("input_shape", _scalar("dim", numbers))
)


@st.composite
def old_nets(draw):
    """The words of a net that parses; its layers are of one kind, or rarely of several."""
    kinds = draw(
        st.sampled_from([(_v1_layer,), (_v0_layer,), (_layer,), (_v0_layer, _v1_layer, _layer)])
    )
    layers = st.one_of(*(kind() for kind in kinds))
    found = draw(st.lists(_net_fields, max_size=6)) + draw(st.lists(layers, max_size=4))
    if draw(st.booleans()):
        found.append(["name:", '"n"'])
    return [word for words in draw(st.permutations(found)) for word in words]

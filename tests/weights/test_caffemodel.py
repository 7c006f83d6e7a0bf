"""Reading .caffemodel files: against protobuf, in every form that Caffe's versions wrote."""

import contextlib
import gc
import resource
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caffegen.errors import CaffegenError, FileError
from caffegen.legacy.v1 import V1_TYPE_NAMES
from caffegen.weights import open_caffemodel, open_weights
from caffegen.weights.old_types import V0_TYPES, V1_TYPES
from tests.weights.caffe_messages import PACKED, UNPACKED, blob_of, field, layer_of, net_of, varint

GOLDEN_NETS = [
    "bottleneck", "inception", "legacy_v0", "legacy_v1", "mobilenet", "plain20", "preact",
    "resnet18", "se_net",
]  # fmt: skip


@pytest.fixture
def model_of(tmp_path):
    """Write bytes to a file and open it."""

    def write_and_open(data):
        path = tmp_path / "net.caffemodel"
        path.write_bytes(data)
        return open_caffemodel(path)

    return write_and_open


def expected_layers(net):
    """What protobuf makes of the file: name, bottoms, tops and (shape, values) of each blob."""
    for layer in net.layer:
        yield (
            layer.name.decode("utf-8", "surrogateescape"),
            layer.bottom,
            layer.top,
            layer.blobs,
            "V2",
        )
    for layer in net.layers:
        inner = layer.layer if layer.HasField("layer") else layer
        version = "V0" if layer.HasField("layer") else "V1"
        yield inner.name, layer.bottom, layer.top, inner.blobs, version


def values_of(blob):
    old = any(blob.HasField(name) for name in ("num", "channels", "height", "width"))
    shape = (blob.num, blob.channels, blob.height, blob.width) if old else blob.shape.dim
    double = len(blob.double_data) > 0
    values = np.array(
        blob.double_data if double else blob.data, np.float64 if double else np.float32
    )
    return values.reshape(tuple(shape)), old


@pytest.mark.parametrize("name", GOLDEN_NETS)
def test_golden_nets_read_as_protobuf_reads_them(golden, name):
    path = golden / "nets" / f"{name}.caffemodel"
    net = PACKED.NetParameter.FromString(path.read_bytes())
    model = open_weights(path)
    assert model.name == net.name == name
    found = [(x.name, list(x.bottom), list(x.top), x.version) for x in model.layers]
    expected = list(expected_layers(net))
    assert found == [(n, list(b), list(t), version) for n, b, t, _, version in expected]
    for layer, (_, _, _, blobs, _) in zip(model.layers, expected, strict=True):
        for stored, blob in zip(layer.blobs, blobs, strict=True):
            values, old = values_of(blob)
            np.testing.assert_array_equal(stored.array(), values, strict=True)
            assert stored.shape == values.shape
            assert stored.dtype == values.dtype
            assert stored.legacy_shape == old


@pytest.mark.parametrize("name", ["legacy_v0", "legacy_v1"])
def test_types_of_old_layers_have_todays_names(golden, name):
    model = open_weights(golden / "nets" / f"{name}.caffemodel")
    types = {layer.type for layer in model.layers}
    assert {"Convolution", "Pooling", "InnerProduct", "Softmax"} <= types


def test_types_of_v1_are_those_of_the_upgrade():
    assert len(V1_TYPES) == 40
    assert set(V1_TYPES) == set(V1_TYPE_NAMES.values()) | {""}
    assert set(V0_TYPES.values()) <= set(V1_TYPES)


def test_values_are_a_read_only_view_at_their_place_in_the_file(golden):
    path = golden / "nets" / "plain20.caffemodel"
    data = path.read_bytes()
    for layer in open_weights(path).layers:
        for blob in layer.blobs:
            values = blob.array()
            assert not values.flags.writeable
            assert not values.flags.owndata
            assert blob.path == str(path)
            assert blob.nbytes == values.nbytes
            assert data[blob.offset : blob.offset + blob.nbytes] == values.tobytes()


def test_a_view_outlives_its_model(golden):
    path = golden / "nets" / "plain20.caffemodel"
    values = open_weights(path).layers[1].blobs[0].array()
    before = values.copy()
    gc.collect()
    np.testing.assert_array_equal(values, before)


SIX = [1.0, -2.5, 3.25, 0.0, 1e-30, 7.0]

FORMS = [
    pytest.param(blob_of(data=SIX, shape=[2, 3]), (2, 3), "float32", True, id="packed"),
    pytest.param(blob_of(UNPACKED, data=SIX, shape=[2, 3]), (2, 3), "float32", False, id="unpacked"),
    pytest.param(blob_of(double_data=SIX, shape=[6]), (6,), "float64", True, id="double"),
    pytest.param(
        blob_of(UNPACKED, double_data=SIX, shape=[6]), (6,), "float64", False, id="unpacked double"
    ),
    pytest.param(
        blob_of(data=[9.0], double_data=SIX, shape=[6]), (6,), "float64", True, id="doubles win"
    ),
    pytest.param(
        blob_of(data=SIX, num=1, channels=1, height=2, width=3),
        (1, 1, 2, 3), "float32", True, id="legacy shape",
    ),
    pytest.param(
        blob_of(data=SIX, num=1, channels=1, height=1, width=6, shape=[2, 3]),
        (1, 1, 1, 6), "float32", True, id="the legacy shape wins",
    ),
    pytest.param(blob_of(num=0, width=5), (0, 0, 0, 5), "float32", False, id="explicit zero"),
    pytest.param(blob_of(shape=[4, 0]), (4, 0), "float32", False, id="no values"),
    pytest.param(
        blob_of(data=SIX, diff=[1.0] * 6, shape=[6]), (6,), "float32", True, id="with diff"
    ),
    pytest.param(
        blob_of(UNPACKED, data=SIX, diff=SIX, shape=[6]), (6,), "float32", False,
        id="unpacked with diff",
    ),
    pytest.param(
        blob_of(raw_data_type=2, raw_data=np.array(SIX, "<f2").tobytes(), shape=[6]),
        (6,), "float16", True, id="half of NVIDIA",
    ),
    pytest.param(
        blob_of(raw_data_type=1, raw_data=np.array(SIX, "<f4").tobytes(), shape=[6]),
        (6,), "float32", True, id="raw float",
    ),
    pytest.param(
        blob_of(raw_data_type=0, raw_data=np.array(SIX, "<f8").tobytes(), shape=[6]),
        (6,), "float64", True, id="raw double",
    ),
    pytest.param(
        blob_of(packed_data=b"\1\2", data=SIX, shape=[6]), (6,), "float32", True,
        id="OpenCL branch with data",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("blob", "shape", "dtype", "in_one_piece"), FORMS)
def test_forms_of_a_blob(model_of, blob, shape, dtype, in_one_piece):
    (layer,) = model_of(net_of(blob)).layers
    (stored,) = layer.blobs
    assert (stored.shape, stored.dtype.name) == (shape, dtype)
    assert (stored.offset is not None) == in_one_piece
    expected = np.array(SIX if stored.size else [], dtype).reshape(shape)
    np.testing.assert_array_equal(stored.array(), expected, strict=True)
    assert not stored.array().flags.writeable
    assert repr(stored) == f"<StoredBlob {list(shape)} {dtype}>"


def test_a_blob_without_axes_is_one_number(model_of):
    data = net_of(blob_of(data=[4.0], shape=[]))
    assert model_of(data).layers[0].blobs[0].array() == np.float32(4)
    assert model_of(net_of(blob_of(data=[4.0]))).layers[0].blobs[0].shape == ()


def test_values_in_several_runs_are_joined(model_of):
    # Packed, one alone, packed again, and two unpacked ones, with the shape in two parts between.
    parts = [
        blob_of(data=SIX[:2]),
        blob_of(UNPACKED, data=SIX[2:3]),
        blob_of(shape=[2]),
        blob_of(data=SIX[3:4]),
        blob_of(UNPACKED, data=SIX[4:]),
        blob_of(UNPACKED, shape=[3]),
    ]
    (stored,) = model_of(net_of(b"".join(parts))).layers[0].blobs
    assert stored.shape == (2, 3)
    assert stored.offset is None
    np.testing.assert_array_equal(stored.array(), np.array(SIX, np.float32).reshape(2, 3))


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=300), st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_packed_or_not(model_of, values, packed):
    messages = PACKED if packed else UNPACKED
    data = net_of(blob_of(messages, data=values, shape=[len(values)]))
    stored = model_of(data).layers[0].blobs[0]
    np.testing.assert_array_equal(stored.array(), np.array(values, np.float32), strict=True)


def test_a_million_unpacked_values(model_of):
    values = np.arange(1_000_000, dtype="<f4")
    records = np.empty(len(values), [("tag", "u1"), ("value", "<f4")])
    records["tag"] = 0x2D
    records["value"] = values
    model = model_of(net_of(records.tobytes() + blob_of(shape=[1000, 1000])))
    expected = values.reshape(1000, 1000)
    np.testing.assert_array_equal(model.layers[0].blobs[0].array(), expected, strict=True)


def test_layers_come_in_file_order_as_often_as_they_occur(model_of):
    one = blob_of(data=[1.0], shape=[1])
    net = PACKED.NetParameter(name="net", input=["data"], input_dim=[1, 3, 4, 4])
    layers = [
        layer_of(one, name=name, type="Scale", phase=1, of_a_fork=b"\xff\xff")
        for name in (b"a", b"b", b"a")
    ]
    model = model_of(net.SerializeToString() + b"".join(layers))
    assert [layer.name for layer in model.layers] == ["a", "b", "a"]


def test_a_v0_layer_counts_alone_inside_its_v1_layer(model_of):
    net = PACKED.NetParameter()
    outer = net.layers.add(name="outer", type=4, bottom=["x"], top=["y"])
    outer.blobs.add(data=[1.0], num=1, channels=1, height=1, width=1)
    outer.layer.name = "inner"
    outer.layer.type = "innerproduct"
    outer.layer.blobs.add(data=[2.0], num=1, channels=1, height=1, width=1)
    (layer,) = model_of(net.SerializeToString()).layers
    assert layer[:4] == ("inner", "InnerProduct", ("x",), ("y",))
    assert layer.version == "V0"
    assert layer.blobs[0].array() == 2


def test_unknown_old_types(model_of):
    net = PACKED.NetParameter()
    net.layers.add(name="a", type=99)
    net.layers.add(name="b").layer.type = "padding"
    assert [layer.type for layer in model_of(net.SerializeToString()).layers] == ["", "padding"]


def test_names_that_are_no_utf8_are_kept(model_of):
    net = PACKED.NetParameter()
    net.layer.add(name=b"conv\xff")
    assert model_of(net.SerializeToString()).layers[0].name == "conv\udcff"


def test_a_net_without_layers_is_a_net(model_of):
    model = model_of(PACKED.NetParameter(name="empty", input=["data"]).SerializeToString())
    assert (model.name, model.layers) == ("empty", [])


WHERE = "blob 0 of layer `conv1`"
REFUSED = [
    pytest.param(
        blob_of(data=SIX, shape=[2, 4]), f"{WHERE} has the shape [2, 4], 8 values; the file holds 6",
        id="too few",
    ),
    pytest.param(blob_of(), f"{WHERE} has the shape [], 1 values; the file holds 0", id="none"),
    pytest.param(
        blob_of(data=SIX, shape=[-2, -3]), f"{WHERE} has the shape [-2, -3]; no size is below 0",
        id="negative",
    ),
    pytest.param(
        blob_of(data=SIX, num=-1, channels=1, height=1, width=1),
        f"{WHERE} has the shape [-1, 1, 1, 1]; no size is below 0", id="negative legacy",
    ),
    pytest.param(
        blob_of(data=SIX, shape=[1 << 40, 1 << 40]),
        f"{WHERE} has the shape [1099511627776, 1099511627776], 1208925819614629174706176 values; "
        "the file holds 6", id="huge",
    ),
    pytest.param(
        blob_of(data=SIX, shape=[1] * 33), f"{WHERE} has more than 32 axes, Caffe's limit",
        id="axes",
    ),
    pytest.param(
        blob_of(raw_data=b"\0\0", shape=[1]),
        f"{WHERE} has `raw_data` without the `raw_data_type` it needs", id="raw without type",
    ),
    pytest.param(
        blob_of(raw_data=b"\0\0\0\0", raw_data_type=3, shape=[1]),
        f"{WHERE} has the `raw_data_type` 3; weights are of type 0 (DOUBLE), 1 (FLOAT) or "
        "2 (FLOAT16)", id="raw integers",
    ),
    pytest.param(
        blob_of(raw_data=b"\0\0\0", raw_data_type=2, shape=[1]),
        f"{WHERE} has 3 bytes of float16 values, which is not a multiple of 2", id="raw odd",
    ),
    pytest.param(
        blob_of(packed_data=b"\0\0", shape=[1]),
        f"{WHERE} has its values in field 11, which only Caffe's OpenCL branch reads", id="OpenCL",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("blob", "sentence"), REFUSED)
def test_refused_blobs(model_of, tmp_path, blob, sentence):
    with pytest.raises(FileError) as caught:
        model_of(net_of(blob))
    assert str(caught.value) == f"`{tmp_path / 'net.caffemodel'}`: {sentence}"


def test_packed_bytes_must_be_whole_values(model_of):
    with pytest.raises(FileError) as caught:
        model_of(net_of(field(5, b"abc")))
    assert caught.value.sentence == (
        "it is damaged: at byte 45, blob 0 of layer `conv1` has 3 bytes of float32 values, "
        "which is not a multiple of 4"
    )


def small_net():
    net = PACKED.NetParameter(name="small")
    old = net.layers.add(name="old", type=4)
    old.layer.name = "older"
    old.layer.blobs.add(raw_data=b"\0" * 6, raw_data_type=2).shape.dim.append(3)
    blobs = [
        blob_of(data=[1.0, 2.0], shape=[2]),
        blob_of(UNPACKED, double_data=[3.0, 4.0], num=1, channels=2, height=1, width=1),
    ]
    layers = [
        layer_of(*blobs, name=b"layer%d" % index, type="Scale", bottom=["a"], top=["a"])
        for index in range(3)
    ]
    return net.SerializeToString() + b"".join(layers)


def test_a_file_cut_at_any_byte_is_refused_or_shorter(model_of):
    data = small_net()
    name = PACKED.NetParameter(name="small").ByteSize()
    start = data.index(b"\xa2\x06")
    layer = (len(data) - start) // 3
    ends = {
        name: [],
        start: ["older"],
        start + layer: ["older", "layer0"],
        start + 2 * layer: ["older", "layer0", "layer1"],
    }
    for size in range(2, len(data)):  # the first byte alone is an empty line of text
        if size in ends:
            assert [layer.name for layer in model_of(data[:size]).layers] == ends[size]
            continue
        with pytest.raises(FileError) as caught:
            model_of(data[:size])
        assert caught.value.sentence.startswith("it is cut off"), size


def test_where_a_file_is_cut_off(model_of):
    data = small_net()
    with pytest.raises(FileError) as caught:
        model_of(data[:-9])
    assert caught.value.sentence.startswith("it is cut off after layer `layer1`: at byte ")
    assert caught.value.sentence.endswith("bytes runs 9 past the end")


@given(st.data())
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_flipped_bits_never_end_in_a_traceback(model_of, data):
    changed = bytearray(small_net())
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        model = model_of(bytes(changed))
    except CaffegenError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        for layer in model.layers:
            for blob in layer.blobs:
                assert blob.array().shape == blob.shape


def test_a_name_with_a_line_break_stays_on_the_line(model_of):
    name = b"two\nlines\x1b[2J"
    data = field(100, field(1, name) + field(2, b"ReLU")) + b"\x00"
    with pytest.raises(FileError, match=r"layer `two\\nlines\\x1b\[2J`: at byte"):
        model_of(data)


@given(st.binary(max_size=200))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_net_or_refused(model_of, data):
    with contextlib.suppress(FileError):
        model_of(data)


def test_three_gigabytes_open_without_being_read(tmp_path):
    count = 750_000_000
    before = field(7, field(1, varint(count))) + varint(5 << 3 | 2) + varint(4 * count)
    blob = varint(7 << 3 | 2) + varint(len(before) + 4 * count) + before
    layer = field(1, b"fc") + blob
    path = tmp_path / "large.caffemodel"
    with path.open("wb") as file:
        file.write(field(1, b"large"))
        file.write(varint(100 << 3 | 2) + varint(len(layer) + 4 * count) + layer)
        start = file.tell()
        file.seek(start + 4 * (count - 1))
        file.write(np.float32(42).tobytes() + layer_of(name=b"last"))
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        model = open_weights(path)
        stored = model.layers[0].blobs[0]
        values = stored.array()
        assert (values[0], values[-1]) == (0, 42)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert [layer.name for layer in model.layers] == ["fc", "last"]
    assert (values.shape, stored.offset) == ((count,), start)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 64 << 10

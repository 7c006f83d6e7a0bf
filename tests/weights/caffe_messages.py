"""Caffe's binary messages as protobuf itself reads and writes them: the oracle of these tests."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
    "float": _FIELD.TYPE_FLOAT,
    "double": _FIELD.TYPE_DOUBLE,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
}

_MESSAGES = {
    "BlobShape": ["repeated int64 dim 1"],
    "BlobProto": [
        "optional int32 num 1",
        "optional int32 channels 2",
        "optional int32 height 3",
        "optional int32 width 4",
        "repeated float data 5",
        "repeated float diff 6",
        "optional BlobShape shape 7",
        "repeated double double_data 8",
        "optional int32 raw_data_type 10",
        "optional bytes packed_data 11",
        "optional bytes raw_data 12",
    ],
    "LayerParameter": [
        "optional bytes name 1",
        "optional string type 2",
        "repeated string bottom 3",
        "repeated string top 4",
        "repeated BlobProto blobs 7",
        "optional int32 phase 10",
        "optional bytes of_a_fork 150",
    ],
    "V0LayerParameter": [
        "optional string name 1",
        "optional string type 2",
        "repeated BlobProto blobs 50",
    ],
    "V1LayerParameter": [
        "optional V0LayerParameter layer 1",
        "repeated string bottom 2",
        "repeated string top 3",
        "optional string name 4",
        "optional int32 type 5",
        "repeated BlobProto blobs 6",
    ],
    "NetParameter": [
        "optional string name 1",
        "repeated V1LayerParameter layers 2",
        "repeated string input 3",
        "repeated int32 input_dim 4",
        "repeated LayerParameter layer 100",
    ],
    "SolverState": [
        "optional int32 iter 1",
        "optional string learned_net 2",
        "repeated BlobProto history 3",
    ],
}


class Messages:
    """The message classes; with `packed` or without, as old and new versions of Caffe write."""

    def __init__(self, *, packed):
        file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe")
        for name, fields in _MESSAGES.items():
            message = file.message_type.add(name=name)
            for line in fields:
                label, kind, field, number = line.split()
                entry = message.field.add(name=field, number=int(number))
                entry.label = (
                    _FIELD.LABEL_REPEATED if label == "repeated" else _FIELD.LABEL_OPTIONAL
                )
                if kind in _SCALARS:
                    entry.type = _SCALARS[kind]
                    if label == "repeated" and kind != "string" and packed:
                        entry.options.packed = True
                else:
                    entry.type = _FIELD.TYPE_MESSAGE
                    entry.type_name = f".caffe.{kind}"
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
        for name in _MESSAGES:
            found = pool.FindMessageTypeByName(f"caffe.{name}")
            setattr(self, name, message_factory.GetMessageClass(found))


PACKED = Messages(packed=True)
UNPACKED = Messages(packed=False)


def field(number, content):
    """A field of bytes, made by hand: for what protobuf itself does not write."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value):
    out = []
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def blob_of(messages=PACKED, *, shape=None, **fields):
    """A BlobProto as bytes."""
    blob = messages.BlobProto(**fields)
    if shape is not None:
        blob.shape.SetInParent()
        blob.shape.dim.extend(shape)
    return blob.SerializeToString()


def layer_of(*blobs, **fields):
    """A field `layer` as bytes, with blobs given as bytes."""
    body = PACKED.LayerParameter(**fields).SerializeToString()
    return field(100, body + b"".join(field(7, blob) for blob in blobs))


def net_of(*blobs):
    """A file with one layer `conv1` that has these blobs."""
    layer = layer_of(*blobs, name=b"conv1", type="Convolution", bottom=["data"], top=["conv1"])
    return PACKED.NetParameter(name="one").SerializeToString() + layer

"""The tables hold what BVLC Caffe's schema holds, field for field."""

from caffegen.schema.tables import ENUMS, MESSAGES

SCALARS = {"bool", "bytes", "double", "float", "int32", "int64", "string", "uint32"}


def test_89_types_and_423_fields(caffe_schema):
    assert (len(MESSAGES), len(ENUMS)) == (63, 26)
    assert sum(len(fields) for fields in MESSAGES.values()) == 423
    assert caffe_schema["messages"].keys() == MESSAGES.keys()
    assert caffe_schema["enums"].keys() == ENUMS.keys()


def test_every_enum_has_caffes_words_in_caffes_order(caffe_schema):
    for name, words in caffe_schema["enums"].items():
        assert list(ENUMS[name].items()) == list(words.items()), name


def test_every_field_is_caffes(caffe_schema, read_default):
    for name, fields in caffe_schema["messages"].items():
        expected = [
            (
                field["name"],
                field["number"],
                "packed" if field.get("packed") else field["label"],
                field["type"],
                read_default(field),
            )
            for field in fields
        ]
        assert list(MESSAGES[name]) == expected, name


def test_defaults_have_the_type_of_the_field():
    python = {"bool": bool, "bytes": bytes, "float": float, "double": float, "string": str}
    for name, fields in MESSAGES.items():
        for field, _, label, kind, default in fields:
            if label in ("repeated", "packed") or kind in MESSAGES:
                assert default is None, (name, field)
            elif kind in ENUMS:
                assert default in ENUMS[kind], (name, field)
            else:
                assert type(default) is python.get(kind, int), (name, field)


def test_every_type_is_a_scalar_or_stands_in_the_tables():
    types = {field[3] for fields in MESSAGES.values() for field in fields}
    assert types - MESSAGES.keys() - ENUMS.keys() == SCALARS


def test_a_float_reads_as_the_single_precision_value_that_caffe_holds():
    fields = {field[0]: field[4] for field in MESSAGES["BatchNormParameter"]}
    assert fields["moving_average_fraction"] == 0.9990000128746033
    assert fields["eps"] == 9.999999747378752e-06

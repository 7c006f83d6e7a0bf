"""The generated files are what the generator makes of proto/caffe.proto, and say so when they are not."""

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from caffegen.errors import CaffegenError
from caffegen.schema import generate

FILES = ["caffe_pb2.py", "caffe_pb2.pyi", "tables.py"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the generated files, which the generator takes for its own."""
    for name in FILES:
        (tmp_path / name).write_bytes((Path(generate.FOLDER) / name).read_bytes())
    monkeypatch.setattr(generate, "FOLDER", str(tmp_path))
    return tmp_path


def test_the_committed_files_are_current(capfd):
    assert generate.main(["--check"]) == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", FILES)
def test_check_names_a_stale_file_and_leaves_it(name, folder, capsys):
    text = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_text(text + "\n", encoding="utf-8")
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err == (
        f"`caffegen/schema/{name}` is not what `proto/caffe.proto` makes\n"
    )
    assert (folder / name).read_text(encoding="utf-8") == text + "\n"


def test_stale_and_missing_files_are_written_anew(folder):
    before = {name: (folder / name).read_bytes() for name in FILES}
    (folder / "tables.py").unlink()
    (folder / "caffe_pb2.py").write_text("", encoding="utf-8")
    assert generate.main([]) == 0
    assert {name: (folder / name).read_bytes() for name in FILES} == before


def compiled(tmp_path, text):
    path = tmp_path / "caffe.proto"
    path.write_text('syntax = "proto2"; package caffe;\n' + text, encoding="utf-8")
    return generate.compile_schema(str(path))


def test_a_faulty_schema_is_refused(tmp_path, capfd):
    with pytest.raises(CaffegenError, match=r"caffe\.proto` does not compile"):
        compiled(tmp_path, "message M { optional Missing field = 1; }")
    assert "Missing" in capfd.readouterr().err


def test_nested_messages_are_refused(tmp_path):
    with pytest.raises(CaffegenError, match="`M` holds a message type"):
        generate.generated(compiled(tmp_path, "message M { message Inner {} }"))


def test_a_new_field_reaches_all_three_files(tmp_path):
    made = compiled(
        tmp_path,
        "message M {\n"
        '  optional string text = 1 [default = "a\\"b\\\\"];\n'
        '  optional bytes raw = 2 [default = "\\001\\377"];\n'
        "  optional double wide = 3 [default = 0.1];\n"
        "  repeated Other other = 4;\n"
        "}\n"
        "message Other { required Word word = 7 [default = TWO]; enum Word { ONE = 1; TWO = 2; } }\n",
    )
    texts = generate.generated(made)
    tables = {}
    exec(texts["tables.py"], tables)
    assert tables["ENUMS"] == {"Other.Word": {"ONE": 1, "TWO": 2}}
    assert tables["MESSAGES"] == {
        "M": (
            ("text", 1, "optional", "string", 'a"b\\'),
            ("raw", 2, "optional", "bytes", b"\x01\xff"),
            ("wide", 3, "optional", "double", 0.1),
            ("other", 4, "repeated", "Other", None),
        ),
        "Other": (("word", 7, "required", "Other.Word", "TWO"),),
    }
    module = {"__name__": "made"}
    exec(texts["caffe_pb2.py"], module)
    message = module["M"](other=[{"word": "ONE"}])
    assert (message.text, message.raw, message.wide) == ('a"b\\', b"\x01\xff", 0.1)
    assert message.other[0].word == module["Other"].ONE
    assert (
        "def other(self) -> RepeatedCompositeFieldContainer[Other]: ..." in texts["caffe_pb2.pyi"]
    )
    assert "word: int | str | None = ..." in texts["caffe_pb2.pyi"]


def test_every_message_of_the_schema_is_explained(tmp_path):
    from grpc_tools import protoc

    out = tmp_path / "schema.pb"
    folder, name = str(Path(generate.PROTO).parent), Path(generate.PROTO).name
    arguments = [
        "protoc",
        f"-I{folder}",
        "--include_source_info",
        f"--descriptor_set_out={out}",
        name,
    ]
    assert protoc.main(arguments) == 0
    schema = FileDescriptorSet.FromString(out.read_bytes()).file[0]
    explained = {
        tuple(place.path): place.leading_comments for place in schema.source_code_info.location
    }
    # by the numbers of FileDescriptorProto: 4 a message, 5 an enum
    bare = [m.name for at, m in enumerate(schema.message_type) if not explained[(4, at)].strip()]
    bare += [e.name for at, e in enumerate(schema.enum_type) if not explained[(5, at)].strip()]
    assert bare == []

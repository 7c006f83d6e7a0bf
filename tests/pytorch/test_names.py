"""Names of a prototxt as names of submodules: any text will do, and none of it ever becomes code."""

import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.errors import CaffegenError
from caffegen.pytorch.names import module_name
from caffegen.pytorch.save import save_exported

# in torch.fx a name stands between double quotes, as the second argument of getattr
CODE = 'training") and getattr(__import__("os"), "mkdir")("ran") and getattr(self, "training'
ODD = [
    CODE, CODE.replace('"', "'"), "a\nb = 1", "a\\", "class", "None", "a,b;c", "(a)", "{a}", "%s",
    "\udcff", "名前", "ﬁ", "\u202egnp", "__class__", "_modules", "self", "x" * 3000,
]  # fmt: skip


def escaped(name):
    """The name as a string of a prototxt."""
    data = name.encode("utf-8", "surrogateescape")
    return "".join(f"\\{byte:03o}" for byte in data)


def chain(names):
    """A product for each name, one behind the other."""
    text = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
    bottom = "x"
    for name in map(escaped, names):
        text += (
            f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}" '
            'inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }\n'
        )
        bottom = name
    return text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv1_1", "conv1_1"),
        ("inception_3a/5x5-reduce", "inception_3a/5x5-reduce"),
        ("res 2:a+b@c#d=e", "res 2:a+b@c#d=e"),
        ("a.b", "a_b"),
        ("a\"b'c\\d", "a_b_c_d"),
        ("a,b;c", "a_b_c"),
        ("a\tb\u202e", "a_b_"),
        ("ñ名", "ñ名"),
        ("ﬁ", "fi"),
        ("\uff02", "_"),
        ("\udcff", "\ufffd"),
    ],
)
def test_module_name(name, expected):
    assert module_name(name) == expected


def test_odd_names_run_compile_and_become_programs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = pytorch.build(caffegen.loads(chain(ODD)))
    x = torch.randn(2, 3)
    (expected,) = module(x).values()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(next(iter(compiled(x).values())), expected)
    save_exported("net.pt2", module)
    (found,) = torch.export.load("net.pt2").module()(x).values()
    torch.testing.assert_close(found, expected)
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt2"]


def test_blobs_of_a_program_have_printable_names(tmp_path):
    text = chain(["a"]) + 'layer { name: "b" type: "TanH" bottom: "a" top: "\\377" }'
    save_exported(tmp_path / "net.pt2", pytorch.build(caffegen.loads(text)))
    program = torch.export.load(tmp_path / "net.pt2").module()
    assert list(program(torch.ones(2, 3))) == ["\ufffd"]


@pytest.mark.parametrize("name", ["a b", "class", 'x=__import__("os").mkdir("ran")'])
def test_a_name_that_is_no_identifier_names_no_input_of_a_program(name):
    """torch.export makes the name a parameter of a function that it writes."""
    text = chain([]).replace('top: "x"', f'top: "{escaped(name)}"')
    text += f'layer {{ name: "y" type: "TanH" bottom: "{escaped(name)}" top: "y" }}'
    module = pytorch.build(caffegen.loads(text))
    x = torch.randn(2, 3)
    with pytest.raises(CaffegenError, match=r"torch\.export takes no input by the name"):
        torch.export.export(module, (), {name: x})
    assert torch.equal(module(**{name: x})["y"], x.tanh())
    assert torch.equal(torch.export.export(module, (x,)).module()(x)["y"], x.tanh())

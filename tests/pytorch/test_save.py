"""Weights and programs as files: whole or not at all, whatever the system refuses."""

import contextlib
import os
import resource
import stat

import pytest
import torch
from safetensors.torch import load_file

import caffegen
from caffegen import pytorch
from caffegen.errors import CaffegenError, FileError
from caffegen.pytorch.save import save_exported, save_tensors

NET = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 64 } } }
    layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc"
            inner_product_param { num_output: 256 weight_filler { type: "xavier" } } }
"""
LIMIT = 1 << 12


@pytest.fixture(scope="module")
def module():
    return pytorch.build(caffegen.loads(NET))


@contextlib.contextmanager
def no_larger_files():
    """As on a full disk, the system takes no more than the first bytes of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


WRITERS = {
    "net.safetensors": lambda path, module: save_tensors(path, module.state_dict()),
    "net.pt2": save_exported,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_says_so_and_keeps_what_was_there(module, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"as it was")
    with no_larger_files(), pytest.raises(FileError, match="it can't be written: the disk is full"):
        WRITERS[name](path, module)
    assert os.listdir(tmp_path) == [name]
    assert path.read_bytes() == b"as it was"


@pytest.mark.parametrize("name", WRITERS)
def test_permissions_of_the_target_stay(module, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    path.chmod(0o640)
    WRITERS[name](path, module)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == [name]


def test_a_path_that_is_no_utf8(module, tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"\xff.pt2")
    save_exported(os.fsdecode(path), module)
    with open(path, "rb") as file:
        program = torch.export.load(file)
    x = torch.randn(3, 64)
    torch.testing.assert_close(program.module()(x)["fc"], module(x)["fc"])


def test_tensors_of_several_names_are_written_under_each(tmp_path):
    shared = torch.arange(4.0)
    save_tensors(tmp_path / "two.safetensors", {"a": shared, "b": shared})
    found = load_file(tmp_path / "two.safetensors")
    assert torch.equal(found["a"], shared)
    assert torch.equal(found["b"], shared)


def test_a_net_without_outputs_is_no_program(tmp_path):
    """A Silence takes the last blob."""
    silent = NET + 'layer { name: "s" type: "Silence" bottom: "fc" }'
    module = pytorch.build(caffegen.loads(silent))
    sentence = "the net has no output blob: a program of it would compute nothing"
    for sizes in (False, True):
        with pytest.raises(CaffegenError, match=f"^{sentence}$"):
            save_exported(tmp_path / "net.pt2", module, sizes=sizes)
    assert not os.listdir(tmp_path)

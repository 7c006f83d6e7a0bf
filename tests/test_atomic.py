"""Files appear whole or not at all."""

import errno
import os
import stat

import pytest

from caffegen.atomic import atomic_path, atomic_write
from caffegen.errors import FileError


class _Failing:
    """A file that fails after its first write."""

    def __init__(self, file, fault):
        self.file = file
        self.fault = fault

    def write(self, text):
        self.file.write(text)
        self.file.flush()
        raise self.fault


def test_text_and_bytes(tmp_path):
    with atomic_write(tmp_path / "a.txt", "w") as file:
        file.write("é\n\udcff")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n\xff"
    with atomic_write(str(tmp_path / "b"), "wb") as file:
        file.write(b"\r\n")
    assert (tmp_path / "b").read_bytes() == b"\r\n"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b"]


def test_the_name_is_taken_at_the_end(tmp_path):
    path = tmp_path / "a"
    with atomic_write(path, "w") as file:
        file.write("new")
        file.flush()
        assert not path.exists()
        (part,) = os.listdir(tmp_path)
        assert part.startswith(".caffegen-")
    assert path.read_text() == "new"


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError, SystemExit])
def test_a_fault_in_the_block_changes_nothing(tmp_path, fault):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(fault), atomic_write(path, "w") as file:
        print("new", file=_Failing(file, fault))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_permissions(tmp_path):
    old = tmp_path / "old"
    old.write_text("x")
    old.chmod(0o640)
    umask = os.umask(0o027)
    try:
        for name in ("old", "new"):
            with atomic_write(tmp_path / name, "w") as file:
                file.write("y")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_a_link_is_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/target")
    with atomic_write(tmp_path / "link", "w") as file:
        file.write("x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "target").read_text() == "x"


def test_a_device_is_written_to_and_stays():
    with atomic_write("/dev/null", "wb") as file:
        file.write(b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_stream_is_written_to_even_where_a_file_is_behind_it(tmp_path):
    target = tmp_path / "out"
    with target.open("w") as behind:
        with atomic_write(f"/dev/fd/{behind.fileno()}", "w") as file:
            file.write("x")
        assert os.fstat(behind.fileno()).st_ino == target.stat().st_ino
    assert target.read_text() == "x"


def test_a_pipe_that_nobody_reads():
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError), atomic_write(f"/dev/fd/{writer}", "wb") as file:
        file.write(b"x" * 100_000)
    os.close(writer)


def test_a_device_can_not_be_replaced():
    with pytest.raises(FileError) as caught, atomic_path("/dev/null"):
        pass
    assert caught.value.sentence == (
        "it can't be written: it is a pipe or a device, this takes a file"
    )


def test_a_full_disk(tmp_path):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(FileError) as caught, atomic_write(tmp_path / "a", "w") as file:
        print("x", file=_Failing(file, full))
    assert caught.value.sentence == (
        "it can't be written: the disk is full (No space left on device)"
    )
    assert os.listdir(tmp_path) == []


def test_a_fault_with_another_file_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a", "w"):
        open(tmp_path / "none")  # noqa: SIM115
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("none/a", "it can't be written: there is no folder `{tmp}/none`"),
        (".", "it can't be written: it is a folder, not a file"),
        ("new/", "it can't be written: it is a folder, not a file"),
        ("a\0b", "it can't be written: a path holds no zero bytes"),
        ("x" * 300, "it can't be written: file name too long"),
    ],
    ids=["no folder", "folder", "slash", "zero byte", "too long"],
)
def test_paths_that_can_not_be_written(tmp_path, path, sentence):
    with pytest.raises(FileError) as caught, atomic_write(f"{tmp_path}/{path}", "w"):
        pass
    assert caught.value.sentence == sentence.format(tmp=os.path.realpath(tmp_path))
    assert os.listdir(tmp_path) == []


def test_an_empty_path():
    with pytest.raises(FileError, match="it is a folder, not a file"), atomic_write("", "w"):
        pass


def test_a_read_only_file(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write to any file
    with pytest.raises(FileError, match="it can't be written: it is read-only"):
        atomic_write(tmp_path / "a", "w").__enter__()


def test_a_path_for_those_who_open_files_themselves(tmp_path):
    with atomic_path(tmp_path / "a") as beside:
        assert os.path.dirname(beside) == os.path.realpath(tmp_path)
        with open(beside, "w") as file:
            file.write("x")
    assert (tmp_path / "a").read_text() == "x"
    with pytest.raises(ValueError), atomic_path(tmp_path / "b"):
        raise ValueError
    assert os.listdir(tmp_path) == ["a"]

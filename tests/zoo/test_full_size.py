from __future__ import annotations

import json

import pytest

from tests.zoo import full_size


def test_a_row_a_net_and_what_is_done_is_not_done_again(tmp_path, capsys, monkeypatch):
    results = tmp_path / "zoo.jsonl"
    arguments = ["lenet", "--results", str(results)]
    assert full_size.main(arguments) == 0
    first = capsys.readouterr().out
    (row,) = map(json.loads, results.read_text().splitlines())
    assert (row["net"], row["parameters"], row["macs"]) == ("lenet", 431080, 2293000)
    assert 0 < row["difference"] <= 1e-4
    assert row["fault"] == ""
    monkeypatch.delattr(full_size, "run")
    assert full_size.main(arguments) == 0
    assert capsys.readouterr().out == first


def test_a_net_with_a_fault_is_told_and_run_again(tmp_path, capsys, monkeypatch):
    results = tmp_path / "zoo.jsonl"
    monkeypatch.setattr(full_size, "check_source", lambda *_: Findings)
    assert full_size.main(["lenet", "--results", str(results)]) == 1
    assert "blob-never-read" in capsys.readouterr().out
    assert full_size.known(results) == {}


class Findings:
    """What a check would have found."""

    class Finding:
        name = "blob-never-read"

    diagnostics = (Finding,)


def test_an_unknown_family_is_refused(capsys):
    with pytest.raises(SystemExit):
        full_size.main(["vggg"])
    assert "there is no family `vggg`, only resnet" in capsys.readouterr().err

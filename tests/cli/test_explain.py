"""`caffegen explain`: one page, or the list of all."""

import json

from caffegen.diagnostics.catalogue import flaw, flaw_names


def test_one_page(program):
    code, out, err = program("explain", "stride-zero")
    assert (code, err) == (0, "")
    assert out == flaw("stride-zero").page
    assert out.startswith("# stride-zero\n\nerror: ")


def test_all_names(program):
    code, out, _ = program("explain")
    lines = out.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines] == flaw_names()
    assert any(
        line.split(maxsplit=2)[1:] == ["error", "a window that does not move"] for line in lines
    )


def test_json(program):
    code, out, _ = program("explain", "stride-zero", "--format", "json")
    document = json.loads(out)
    assert code == 0
    assert document["version"] == 1
    (entry,) = document["flaws"]
    assert entry == {
        "name": "stride-zero",
        "severity": "error",
        "title": "a window that does not move",
        "page": flaw("stride-zero").page,
    }
    every = json.loads(program("explain", "--format", "json")[1])
    assert [entry["name"] for entry in every["flaws"]] == flaw_names()


def test_unknown_name(program):
    code, out, err = program("explain", "strid-zero")
    assert (code, out) == (2, "")
    assert err == "caffegen: no finding is called `strid-zero`; did you mean `stride-zero`?\n"
    assert "`caffegen explain` lists them" in program("explain", "../../x")[2]

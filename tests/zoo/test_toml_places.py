from __future__ import annotations

import sys

import pytest

from caffegen.zoo.toml_places import key_places

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXT = '''# a = 1
name = "a # b"  # a comment
"quoted key" = 'lit[eral'
long = """
[no.header]
x = \\" 1 """
raw = \'\'\'
y = 2\'\'\'
list = [1, [2, 3], # three
  { in = 1, other.deep = [ "]" ] },
]
a.b . c = 2020-01-01T00:00:00Z
[table]
key=true
[ table.inner ]
key = 1.5e3
[[many]]
one = 1
[[many]]
two = {}
[many.sub]
x = nan
[[many.subs]]
y = 1
'''


def paths(value, path=()):
    """Every path of a document, tables and items of lists too."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*path, index))


def test_every_key_has_its_place():
    places = key_places(TEXT)
    document = tomllib.loads(TEXT)
    assert set(paths(document)) == set(places)
    for path, (start, end) in places.items():
        written = TEXT[start:end]
        if isinstance(path[-1], str):
            assert written.strip("\"'") == path[-1]


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("name",), 2, 1),
        (("quoted key",), 3, 1),
        (("raw",), 7, 1),
        (("list", 1, 0), 9, 13),
        (("list", 2, "in"), 10, 5),
        (("list", 2, "other", "deep"), 10, 19),
        (("a", "b", "c"), 12, 7),
        (("table", "key"), 14, 1),
        (("table", "inner"), 15, 9),
        (("many", 0), 17, 3),
        (("many", 1, "two"), 20, 1),
        (("many", 1, "sub", "x"), 22, 1),
        (("many", 1, "subs", 0, "y"), 24, 1),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_places(path, line, column):
    start, _ = key_places(TEXT)[path]
    before = TEXT[:start]
    assert (before.count("\n") + 1, start - before.rfind("\n")) == (line, column)


def test_no_keys():
    assert key_places("") == {}
    assert key_places("# nothing") == {}

"""What all tests share: where the golden values lie."""

import json
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def golden():
    """The folder of values computed by BVLC Caffe 1.0."""
    return GOLDEN


def golden_json(name):
    """A golden file as data."""
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


@pytest.fixture
def additions():
    """Take back, after the test, what it adds to the schema and registers as a plug-in."""
    from caffegen import layer_types, plugins, schema
    from caffegen.schema import fork_messages, forks, tables
    from caffegen.schema.additions import own_schemas

    # all at once: a type that is first made during the test would be lost with it
    for name in (*tables.MESSAGES, *fork_messages.MESSAGES):
        schema.message_type(name)
    for name in (*tables.ENUMS, *forks.ENUMS):
        schema.enum_type(name)
    messages = {name: dict(kind.fields) for name, kind in schema._messages.items()}
    enums = {
        name: (dict(kind.numbers), dict(kind.words), dict(kind.forks))
        for name, kind in schema._enums.items()
    }
    registries = [layer_types._CLASSES, plugins._lowerings, plugins._writers, plugins._loaded]
    before = [dict(registry) for registry in registries]
    yield
    for name in [name for name in schema._messages if name not in messages]:
        del schema._messages[name]
    for name, fields in messages.items():
        schema._messages[name].__init__(name, fields)
    for name in [name for name in schema._enums if name not in enums]:
        del schema._enums[name]
    for name, (numbers, words, of_forks) in enums.items():
        found = schema._enums[name]
        found.numbers, found.words, found.forks = numbers, words, of_forks
    for registry, old in zip(registries, before, strict=True):
        registry.clear()
        registry.update(old)
    plugins._failures.clear()
    own_schemas.clear()

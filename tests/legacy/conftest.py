"""Old texts, upgraded."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from caffegen.legacy import Upgrade, upgrade_net, upgrade_solver
from caffegen.schema import message_type
from caffegen.text import Message, Source, parse, print_message


class Upgraded(NamedTuple):
    """A text, what it says, and what became of it."""

    source: Source
    parsed: Message
    upgrade: Upgrade

    @property
    def net(self) -> Message:
        return self.upgrade.message

    @property
    def layers(self):
        return self.upgrade.message.layer

    @property
    def text(self) -> str:
        return " ".join(print_message(self.upgrade.message).split())

    def found(self):
        """Every finding: its name, its sentence, the text at its place."""
        text = self.source.text
        both = [*self.upgrade.faults, *self.upgrade.warnings]
        return [(fault.name, fault.message, text[fault.start : fault.end]) for fault in both]


def upgraded(text: str, kind: str = "net") -> Upgraded:
    source = Source(text)
    if kind == "net":
        parsed = parse(source, message_type("NetParameter"))
        return Upgraded(source, parsed.message, upgrade_net(parsed.message))
    parsed = parse(source, message_type("SolverParameter"))
    return Upgraded(source, parsed.message, upgrade_solver(parsed.message))


@pytest.fixture
def upgrade():
    """`upgrade(text, kind="net")` parses a text without faults and upgrades it."""

    def checked(text: str, kind: str = "net") -> Upgraded:
        name = {"net": "NetParameter", "solver": "SolverParameter"}[kind]
        assert parse(Source(text), message_type(name)).faults == []
        return upgraded(text, kind)

    return checked

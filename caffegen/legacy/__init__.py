"""Nets and solvers of every historic version, upgraded to the current one in Caffe's own order."""

from __future__ import annotations

from typing import NamedTuple

from caffegen.text import Fault, Message

from .batch_norm import upgrade_batch_norm
from .data_transform import upgrade_data_transform
from .findings import Findings
from .inputs import upgrade_inputs, with_input_sizes
from .solver import upgrade_solver_type
from .v0 import upgrade_v0, v0_type_name
from .v1 import V1_TYPE_NAMES, upgrade_v1

__all__ = [
    "V1_TYPE_NAMES",
    "Upgrade",
    "upgrade_net",
    "upgrade_solver",
    "v0_type_name",
    "with_input_sizes",
]

# upgrade_proto.cpp, UpgradeNetAsNeeded: each step reads what the one before left
_NET_STEPS = (
    ("v0", upgrade_v0),
    ("data-transform", upgrade_data_transform),
    ("v1", upgrade_v1),
    ("inputs", upgrade_inputs),
    ("batch-norm", upgrade_batch_norm),
)


class Upgrade(NamedTuple):
    """An upgraded message, the steps that did something, and what they met.

    `faults` are what Caffe refuses or ends on; `warnings` are what it drops and goes on.
    """

    message: Message
    changed: tuple[str, ...]
    faults: list[Fault]
    warnings: list[Fault]


def upgrade_net(message: Message) -> Upgrade:
    """A NetParameter of any version as one of today; the given message stays as it is.

    A net of today comes back as the same object.
    """
    findings = Findings([], [])
    changed = []
    for name, step in _NET_STEPS:
        upgraded = step(message, findings)
        if upgraded is not message:
            changed.append(name)
            message = upgraded
    return Upgrade(message, tuple(changed), findings.faults, findings.warnings)


def upgrade_solver(message: Message) -> Upgrade:
    """A SolverParameter of any version as one of today; nets that stand inside it stay as they are.

    Caffe upgrades nets that it reads from files, never `net_param` and its kind (solver.cpp).
    """
    findings = Findings([], [])
    upgraded = upgrade_solver_type(message, findings)
    changed = ("solver-type",) if upgraded is not message else ()
    return Upgrade(upgraded, changed, findings.faults, findings.warnings)

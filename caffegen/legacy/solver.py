"""The solver's kind, once an enum, now the name of its class.

Given: solver_type: ADAGRAD
Result: type: "AdaGrad"
"""

from __future__ import annotations

from caffegen.text import Message

from .findings import Findings
from .places import place_of, put

__all__ = ["upgrade_solver_type"]

_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
    "SAG": "SAG",  # a fork's
}


def upgrade_solver_type(solver: Message, findings: Findings) -> Message:
    """The solver with `type` instead of `solver_type`; where both are set, `type` is kept.

    Caffe ends on a solver that sets both (upgrade_proto.cpp, UpgradeSolverType).
    """
    if not solver.has("solver_type"):
        return solver
    word = solver.solver_type
    place = place_of(solver, "solver_type")
    new = solver.shallow_copy()
    new.clear("solver_type")
    if solver.has("type"):
        findings.fault(
            "solver-type-set-twice",
            f'`solver_type: {word}` and `type: "{solver.type}"` are both set;'
            " Caffe takes one or the other",
            place,
            "remove `solver_type`",
            place_of(solver, "type"),
        )
    else:
        put(new, "type", _TYPES[word], solver, place)
    return new

"""Checking a solver: what Caffe refuses when it starts, and the nets that stand inside it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from caffegen.diagnostics import Report
from caffegen.legacy import upgrade_solver
from caffegen.schema.suggest import nearest
from caffegen.text import Message, Source

from .options import Options, Shape

__all__ = ["check_solver"]

_NETS = ("net", "net_param", "train_net", "train_net_param")
_TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
# sgd_solver.cpp, GetLearningRate: each policy, and the fields that it can't do without
_POLICIES: dict[str, tuple[str, ...]] = {
    "fixed": (),
    "step": ("gamma", "stepsize"),
    "exp": ("gamma",),
    "inv": ("gamma", "power"),
    "multistep": ("gamma", "stepvalue"),
    "poly": ("power", "max_iter"),
    "sigmoid": ("gamma", "stepsize"),
}
# the policies of forks (sgd_solver.cpp of each), and whose they are
_FORK_POLICIES: dict[str, tuple[tuple[str, ...], str]] = {
    "multifixed": (("stagelr", "stageiter"), "intel mobilenet-yolo"),
    "plateau": (("gamma", "plateau_winsize"), "ssd intel"),
}
_WITHOUT_MOMENTUM = ("AdaGrad", "RMSProp")
_REGULARIZATIONS = ("L1", "L2")


def check_solver(
    source: Source, message: Message, options: Options, report: Report
) -> dict[str, dict[str, Shape | None]]:
    """Report what is wrong with a solver; returns the shapes of a net that stands inside it."""
    upgraded = upgrade_solver(message)
    report.faults(source, upgraded.faults)
    report.faults(source, upgraded.warnings, "warning")
    solver = upgraded.message
    _check_nets(solver, report)
    _check_tests(solver, report)
    _check_type(solver, report)
    _check_policy(solver, _policies(options.dialect), report)
    _check_regularization(solver, report)
    for field in ("average_loss", "iter_size"):
        if solver.get(field) < 1:
            report.error(
                "solver-count-zero", f"`{field}` is {solver.get(field)}; it must be at least 1",
                solver.span(field),
            )  # fmt: skip
    return _check_inner_nets(solver, options, report)


def _check_nets(solver: Message, report: Report) -> None:
    """Report anything but one training net (solver.cpp, InitTrainNet)."""
    nets = [name for name in _NETS if solver.has(name)]
    if len(nets) == 1 or any(solver.misread(name) for name in _NETS):
        return
    told = "names no net" if not nets else f"names its training net {len(nets)} times"
    report.error(
        "solver-without-one-net", f"the solver {told}; Caffe wants exactly one",
        solver.span(nets[1]) if nets else None,
        help="set one of `net`, `train_net`, `net_param` and `train_net_param`",
        other=(solver.span(nets[0]), "the first is here") if nets else None,
    )  # fmt: skip


def _check_tests(solver: Message, report: Report) -> None:
    """Report numbers of test nets, iterations and states that differ (solver.cpp, InitTestNets)."""
    tests = len(solver.test_net) + len(solver.test_net_param)
    iterations = len(solver.test_iter)
    shared = solver.has("net") or solver.has("net_param")
    if iterations < tests or (iterations > tests and not shared):
        report.error(
            "test-iter-count",
            f"`test_iter` is given {_times(iterations)} for {tests or 'no'} test nets",
            solver.span("test_iter") or solver.span("test_net") or solver.span("test_net_param"),
            help="give it once for each test net"
            if tests
            else "remove it, or name the net to test as `test_net`",
        )
        return
    if solver.test_state and len(solver.test_state) != iterations:
        report.error(
            "test-state-count",
            f"`test_state` is given {_times(len(solver.test_state))} and `test_iter` "
            f"{_times(iterations)}; every test net takes one of each",
            solver.span("test_state"), help="give both once for each test net",
            other=(solver.span("test_iter"), "the iterations are here"),
        )  # fmt: skip
    if iterations and solver.test_interval < 1:
        report.error(
            "test-interval-missing",
            f"`test_interval` is {solver.test_interval}; a solver that tests needs at least 1",
            solver.span("test_interval") or solver.span("test_iter"),
            help="add `test_interval: 1000`",
        )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _check_type(solver: Message, report: Report) -> None:
    kind: str = solver.type
    if kind not in _TYPES:
        near = nearest(kind, _TYPES)
        hint = f"; did you mean `{near}`?" if near else ""
        report.error(
            "unknown-solver-type", f"no solver type `{kind}`{hint}",
            solver.span("type", value=True), help=f"the types are {', '.join(_TYPES)}",
            fix=f'"{near}"' if near and near.lower() == kind.lower() else None,
        )  # fmt: skip
    elif kind in _WITHOUT_MOMENTUM and solver.momentum:
        report.error(
            "momentum-not-taken", f"{kind} takes no `momentum`; Caffe refuses it",
            solver.span("momentum"), help="remove it",
            other=(solver.span("type") or solver.span("solver_type"), "the type is here"),
        )  # fmt: skip
    if kind == "RMSProp" and not 0 <= solver.rms_decay < 1:
        report.error(
            "rms-decay-out-of-range",
            f"`rms_decay` is {solver.rms_decay:g}; it lies between 0 and 1",
            solver.span("rms_decay"),
        )


def _policies(dialect: str) -> dict[str, tuple[str, ...]]:
    """The policies that the solver's Caffe may have: without a dialect those of every fork."""
    return _POLICIES | {
        name: fields
        for name, (fields, forks) in _FORK_POLICIES.items()
        if not dialect or dialect in forks.split()
    }


def _check_policy(solver: Message, policies: dict[str, tuple[str, ...]], report: Report) -> None:
    """Report a learning rate that Caffe stops on in its first iteration, or that never changes."""
    policy: str = solver.lr_policy
    if policy not in policies:
        if solver.misread("lr_policy"):
            return
        near = nearest(policy, policies) if policy else None
        hint = f"; did you mean `{near}`?" if near else ""
        said = f"no learning rate policy `{policy}`{hint}" if policy else "there is no `lr_policy`"
        report.error(
            "unknown-lr-policy", said, solver.span("lr_policy", value=True),
            help=f"the policies are {', '.join(_POLICIES)}",
        )  # fmt: skip
        return
    for field in policies[policy]:
        if solver.has(field) or solver.misread(field):
            continue
        stops = field in ("stageiter", "stagelr", "stepsize")
        (report.error if stops else report.warning)(
            "lr-policy-incomplete",
            f"the policy `{policy}` needs `{field}`, which is not set"
            + ("" if stops else f" and counts as {solver.get(field) or 0}"),
            solver.span("lr_policy"), help=f"add `{field}`",
        )  # fmt: skip
    if "stepsize" in policies[policy] and solver.has("stepsize") and solver.stepsize < 1:
        report.error(
            "solver-count-zero", f"`stepsize` is {solver.stepsize}; it must be at least 1",
            solver.span("stepsize"),
        )  # fmt: skip
    if solver.gamma < 0 and "gamma" in policies[policy]:
        report.error(
            "gamma-negative", f"`gamma` is {solver.gamma:g}; it must be at least 0",
            solver.span("gamma"),
        )  # fmt: skip
    for index, (earlier, later) in enumerate(pairwise(solver.stepvalue), 1):
        if later < earlier and policy == "multistep":
            report.warning(
                "stepvalues-not-rising",
                f"`stepvalue` {later} comes behind {earlier}: its step is taken late",
                solver.span("stepvalue", index), help="write the steps in rising order",
            )  # fmt: skip
            break


def _check_regularization(solver: Message, report: Report) -> None:
    """Report a weight decay that Caffe stops on in its first update (sgd_solver.cpp, Regularize)."""
    kind: str = solver.regularization_type
    if kind in _REGULARIZATIONS or not solver.weight_decay:
        return
    near = nearest(kind, _REGULARIZATIONS)
    right = near if near and near.lower() == kind.lower() else None
    report.error(
        "unknown-regularization-type",
        f"no regularization type `{kind}`" + (f"; did you mean `{right}`?" if right else ""),
        solver.span("regularization_type", value=True), help="the types are L1 and L2",
        other=(solver.span("weight_decay"), "the decay that it is for is here"),
        fix=f'"{right}"' if right else None,
    )  # fmt: skip


def _check_inner_nets(
    solver: Message, options: Options, report: Report
) -> dict[str, dict[str, Shape | None]]:
    """Check the nets of the solver itself, each in the states that the solver gives it."""
    from .source import check_net

    shapes: dict[str, dict[str, Shape | None]] = {}
    for net, phase, state in _inner_nets(solver):
        if phase not in options.phases:
            continue
        if net.has("layers"):
            report.error(
                "old-net-in-solver",
                "Caffe does not upgrade a net inside a solver: it sees none of its `layers`",
                net.span("layers"), help="write it as `layer`, or put the net in a file of its own",
            )  # fmt: skip
        given = options._replace(
            phases=(phase,),
            stages=(*options.stages, *state.stage),
            level=state.level if state.has("level") else net.state.level,
            weights=None,
            expect={},
        )
        for label, blobs in check_net(net, given, report).items():
            shapes.setdefault(label, blobs)
    return shapes


def _inner_nets(solver: Message) -> Iterator[tuple[Message, str, Message]]:
    """Nets inside the solver with the phase and the state that they are run in."""
    empty = Message(solver.field("train_state").type)
    states = list(solver.test_state)
    for name in ("net_param", "train_net_param"):
        if solver.has(name):
            yield solver.get(name), "TRAIN", solver.train_state
    tests = list(solver.test_net_param)
    generic = len(solver.test_iter) - len(tests) - len(solver.test_net)
    if solver.has("net_param"):
        tests += [solver.net_param] * max(0, generic)
    for index, net in enumerate(tests):
        # test nets in files come between, if there are any (solver.cpp, InitTestNets)
        place = index if index < len(solver.test_net_param) else index + len(solver.test_net)
        yield net, "TEST", states[place] if place < len(states) else empty

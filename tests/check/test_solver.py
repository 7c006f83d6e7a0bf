"""Solvers: what Caffe refuses when it starts, and the nets inside."""

import pytest

from caffegen.check import Options, check_source
from caffegen.text import Source

BASE = {"net": '"n.prototxt"', "base_lr": "0.01", "lr_policy": '"fixed"'}


def solver(**fields):
    lines = {**BASE, **fields}
    return "".join(
        f"{name}: {each}\n"
        for name, value in lines.items()
        if value is not None
        for each in (value if isinstance(value, list) else [value])
    )


def check(text):
    return check_source(Source(text), Options())


def found(text):
    return [(d.name, d.severity, d.message) for d in check(text).diagnostics]


def test_clean():
    assert found(solver()) == []
    assert found(solver(type='"Adam"', momentum="0.9", test_iter="10", test_interval="5")) == []
    assert found(solver(solver_type="NESTEROV", momentum="0.9")) == []
    assert found(solver(weight_decay="0.1", regularization_type='"L1"')) == []
    # without a decay nothing reads it
    assert found(solver(regularization_type='"Lasso"')) == []


@pytest.mark.parametrize(
    ("fields", "name", "message"),
    [
        ({"net": None}, "solver-without-one-net", "the solver names no net; Caffe wants exactly one"),
        ({"train_net": '"t"'}, "solver-without-one-net", "the solver names its training net 2 times; Caffe wants exactly one"),
        ({"type": '"adam"'}, "unknown-solver-type", "no solver type `adam`; did you mean `Adam`?"),
        ({"lr_policy": '"stp"'}, "unknown-lr-policy", "no learning rate policy `stp`; did you mean `step`?"),
        ({"lr_policy": None}, "unknown-lr-policy", "there is no `lr_policy`"),
        ({"lr_policy": '"plateau"', "gamma": "0.1"}, "lr-policy-incomplete", "the policy `plateau` needs `plateau_winsize`, which is not set and counts as 0"),
        ({"test_iter": "5", "net": None, "train_net": '"t"'}, "test-iter-count", "`test_iter` is given once for no test nets"),
        ({"lr_policy": '"step"', "gamma": "0.1"}, "lr-policy-incomplete", "the policy `step` needs `stepsize`, which is not set"),
        ({"lr_policy": '"exp"'}, "lr-policy-incomplete", "the policy `exp` needs `gamma`, which is not set and counts as 0"),
        ({"lr_policy": '"exp"', "gamma": "-1"}, "gamma-negative", "`gamma` is -1; it must be at least 0"),
        ({"lr_policy": '"multistep"', "gamma": "0.1", "stepvalue": ["3", "2"]}, "stepvalues-not-rising", "`stepvalue` 2 comes behind 3: its step is taken late"),
        ({"type": '"AdaGrad"', "momentum": "0.9"}, "momentum-not-taken", "AdaGrad takes no `momentum`; Caffe refuses it"),
        ({"type": '"RMSProp"', "rms_decay": "1"}, "rms-decay-out-of-range", "`rms_decay` is 1; it lies between 0 and 1"),
        ({"iter_size": "0"}, "solver-count-zero", "`iter_size` is 0; it must be at least 1"),
        ({"average_loss": "0"}, "solver-count-zero", "`average_loss` is 0; it must be at least 1"),
        (
            {"lr_policy": '"step"', "gamma": "0.1", "stepsize": "0"},
            "solver-count-zero", "`stepsize` is 0; it must be at least 1",
        ),
        (
            {"weight_decay": "0.1", "regularization_type": '"l1"'},
            "unknown-regularization-type", "no regularization type `l1`; did you mean `L1`?",
        ),
        (
            {"weight_decay": "0.1", "regularization_type": '"Lasso"'},
            "unknown-regularization-type", "no regularization type `Lasso`",
        ),
        ({"test_iter": "1"}, "test-interval-missing", "`test_interval` is 0; a solver that tests needs at least 1"),
        ({"test_net": '"t"'}, "test-iter-count", "`test_iter` is given 0 times for 1 test nets"),
        ({"net": None, "train_net": '"t"', "test_iter": ["1", "2"], "test_net": '"t"', "test_interval": "1"}, "test-iter-count", "`test_iter` is given 2 times for 1 test nets"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)  # fmt: skip
def test_refused(fields, name, message):
    ((mine, _, said),) = found(solver(**fields))
    assert (mine, said) == (name, message)


def test_states_of_test_nets():
    text = (
        solver(test_iter="1", test_interval="1")
        + 'test_state { stage: "a" }\ntest_state { stage: "b" }\n'
    )
    ((name, _, message),) = found(text)
    assert name == "test-state-count"
    assert (
        message
        == "`test_state` is given 2 times and `test_iter` once; every test net takes one of each"
    )


def test_policies_that_need_nothing_more():
    assert found(solver(lr_policy='"poly"', power="0.5", max_iter="100")) == []
    assert found(solver(lr_policy='"inv"', power="0.5", gamma="0.1")) == []
    assert found(solver(lr_policy='"sigmoid"', gamma="0.1", stepsize="10")) == []


@pytest.mark.parametrize(
    ("policy", "fields", "fork", "other"),
    [
        ("multifixed", {"stagelr": ["0.1", "0.01"], "stageiter": ["5", "9"]}, "intel", "ssd"),
        ("plateau", {"gamma": "0.1", "plateau_winsize": ["5", "9"]}, "ssd", "mobilenet-yolo"),
    ],
)
def test_policies_of_forks(policy, fields, fork, other):
    text = solver(lr_policy=f'"{policy}"', **fields)
    assert [name for name, _, _ in found(text)] == ["fork-schema"]
    assert check_source(Source(text), Options(dialect=fork)).diagnostics == []
    names = {d.name for d in check_source(Source(text), Options(dialect=other)).diagnostics}
    assert "unknown-lr-policy" in names


def test_a_policy_that_reads_past_the_end_of_its_stages():
    lacks = "the policy `multifixed` needs `{}`, which is not set".format
    assert found(solver(lr_policy='"multifixed"')) == [
        ("lr-policy-incomplete", "error", lacks("stagelr")),
        ("lr-policy-incomplete", "error", lacks("stageiter")),
    ]


def test_misspelt_fields_lead_to_nothing_more():
    names = [name for name, _, _ in found(solver(lr_policy=None, lr_polcy='"fixed"'))]
    assert "unknown-field" in names


NET = """net_param {
  layer { name: "data" type: "DummyData" top: "x" include { phase: TRAIN } dummy_data_param { shape { dim: 8 } } }
  layer { name: "data" type: "DummyData" top: "x" include { phase: TEST stage: "a" } dummy_data_param { shape { dim: 4 } } }
  layer { name: "relu" type: "ReLU" bottom: "x" top: "y" %s }
}
"""


def test_nets_inside_are_checked_in_the_states_of_the_solver():
    test = 'test_iter: 1\ntest_interval: 1\ntest_state { stage: "a" }\n'
    head = solver(net=None)
    checked = check(head + test + NET % "")
    assert checked.diagnostics == []
    assert {state: blobs["y"] for state, blobs in checked.shapes.items()} == {
        "TRAIN": (8,),
        "TEST+a": (4,),
    }
    (fault,) = check(head + test + (NET % "").replace("ReLU", "Relu")).diagnostics
    assert fault.name == "unknown-layer-type"
    names = {d.name for d in check(head + test.replace('"a"', '"b"') + NET % "").diagnostics}
    assert names == {"unknown-bottom"}


def test_old_nets_inside_are_never_upgraded():
    text = solver(net=None) + (
        "net_param {\n"
        '  input: "x" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1\n'
        '  layers { name: "relu" type: RELU bottom: "x" top: "y" }\n'
        "}\n"
    )
    ((name, severity, message),) = found(text)
    assert (name, severity) == ("old-net-in-solver", "error")
    assert message == "Caffe does not upgrade a net inside a solver: it sees none of its `layers`"

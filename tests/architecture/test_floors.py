"""The house has floors: a module imports its own floor or a lower one, and heavy packages high up."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "caffegen"

FLOORS = {
    "errors": 0, "atomic": 0, "collection": 0, "templating": 0, "text": 0,
    "diagnostics": 1,
    "schema": 2,
    "legacy": 3, "weights": 3,
    "layer_types": 4, "net": 4, "plugins": 4,
    "analysis": 5, "lint": 5, "dsl": 5,
    "zoo": 6, "loader": 6, "check": 6,
    "pytorch": 7, "onnx_bridge": 7,
    "verify": 8,
    "cli": 9, "__main__": 9, "__init__": 9,
}  # fmt: skip
HEAVY = {"torch", "onnx", "onnxruntime", "cv2", "onnx_ir", "torchvision", "safetensors"}
SIBLINGS_APART = [("pytorch", "onnx_bridge"), ("legacy", "weights")]


def modules():
    return sorted(p for p in PACKAGE.rglob("*.py") if "__pycache__" not in p.parts)


def part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path):
    """Names of imported modules, with whether they are imported when the module is."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ("caffegen", *path.relative_to(PACKAGE).parts[:-1])
    functions = [
        n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    later = {id(inner) for function in functions for inner in ast.walk(function)}
    checking = [
        n for n in ast.walk(tree)
        if isinstance(n, ast.If) and isinstance(n.test, ast.Name) and n.test.id == "TYPE_CHECKING"
    ]  # fmt: skip
    typing_only = {id(inner) for block in checking for inner in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        eager = id(node) not in later
        if isinstance(node, ast.Import):
            yield from ((alias.name, eager) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                name = ".".join((*base, *(node.module.split(".") if node.module else ())))
            else:
                name = node.module or ""
            if name == "caffegen":
                yield from ((f"caffegen.{alias.name}", eager) for alias in node.names)
            else:
                yield name, eager


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    part = part_of(path)
    if part == "__init__":
        return
    for name, _ in imports(path):
        if not name.startswith("caffegen."):
            continue
        other = name.split(".")[1]
        if other == "__version__":
            continue
        assert other in FLOORS, f"{path}: {name} stands on no floor"
        assert FLOORS[other] <= FLOORS[part], (
            f"{path} ({part}) imports {name}, a floor above its own"
        )
        for pair in SIBLINGS_APART:
            assert {part, other} != set(pair), f"{path} imports its sibling {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_packages_stay_high(path):
    floor = FLOORS[part_of(path)]
    for name, eager in imports(path):
        top = name.split(".")[0]
        if top in HEAVY:
            assert floor >= 7, f"{path} imports {top} below floor 7"
            if part_of(path) == "cli":
                assert not eager, f"{path} imports {top} when it is imported"


def test_every_part_has_a_floor():
    assert {part_of(path) for path in modules()} <= FLOORS.keys()

"""Nets as pycaffe's NetSpec describes them: tops, the layers that make them, and their names.

The meaning is pycaffe's (python/caffe/net_spec.py), with three differences: a net may be deeper
than Python's recursion limit, what the schema refuses is said with the layer's name, and the net
comes as a `Message` (`to_message`), as text (`to_prototxt`) or as protobuf (`to_proto`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from caffegen.collection import collection_paused
from caffegen.schema import message_type
from caffegen.text import FieldError, Message, print_message

from .errors import DslError, NotATop, UnknownName, did_you_mean, shown
from .keywords import assign_keyword, keyword_sentence

if TYPE_CHECKING:
    from types import ModuleType

    from google.protobuf.message import Message as ProtobufMessage

__all__ = ["Function", "NetSpec", "Top", "to_message", "to_proto"]


class Top:
    """One output blob of a layer: the layer, and the number of the top."""

    __slots__ = ("fn", "n")

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> ProtobufMessage:
        """The protobuf NetParameter of all layers that this top needs, named automatically."""
        return to_proto(self)

    def __repr__(self) -> str:
        return f"<Top {self.n} of {self.fn.type_name}>"


class Function:
    """A layer: its type, its bottoms, its parameters and its tops.

    `params` is read when the net is built, so a script may change it until then.
    """

    __slots__ = ("in_place", "inputs", "ntop", "params", "place", "tops", "type_name")

    def __init__(
        self,
        type_name: str,
        inputs: tuple[Top, ...],
        params: dict[str, Any],
        place: tuple[str, int] | None = None,
    ) -> None:
        self.type_name = type_name
        self.place = place
        for index, bottom in enumerate(inputs):
            if not isinstance(bottom, Top):
                raise NotATop(
                    f"{self.describe()}: input {index} is not a Top{_found(bottom)}",
                    layer_type=type_name,
                )
        self.inputs = inputs
        self.params = params
        self.ntop = params.pop("ntop", 1)
        if not isinstance(self.ntop, int) or self.ntop < 0:
            raise DslError(
                f"{self.describe()}: `ntop` is a number of tops, found {shown(self.ntop)}",
                layer_type=type_name, field="ntop",
            )  # fmt: skip
        self.in_place = params.pop("in_place", False)
        self.tops = tuple([Top(self, n) for n in range(self.ntop)])

    def describe(self, name: str = "") -> str:
        """The layer as a sentence begins with it: where it was written, its name and its type."""
        at = f"{self.place[0]}:{self.place[1]}: " if self.place else ""
        return f"{at}layer `{name}` ({self.type_name})" if name else f"{at}`{self.type_name}`"


class NetSpec:
    """A net under description: assigning a top to an attribute names its blob and its layer.

    `net.conv1 = L.Convolution(net.data, ...)` and `net["conv1"] = ...` are the same. The net's
    layers come out in the order of the assignments, each after the layers it needs.
    """

    # the tops are the instance's own __dict__, so that reading one costs what an attribute costs
    __slots__ = ("__dict__", "_net_name")
    _net_name: str

    def __init__(self, name: str = "") -> None:
        object.__setattr__(self, "_net_name", name)

    @property
    def tops(self) -> dict[str, Top | Function]:
        """The assigned tops by name, in the order of assignment."""
        return self.__dict__

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN_NAMES:
            raise DslError(
                f"`{name}` is a name of NetSpec's own; a blob of that name is net[{name!r}]",
                layer=name,
            )
        NetSpec.__setitem__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnknownName(
            f"the net has no blob `{name}`{did_you_mean(str(name), self.__dict__)}", field=name
        )

    def __setitem__(self, name: str, value: Any) -> None:
        if not isinstance(value, (Top, Function)):
            raise NotATop(f"`{name}` is assigned what is not a Top{_found(value)}", layer=name)
        self.__dict__[name] = value

    def __getitem__(self, name: str) -> Any:
        found = self.__dict__.get(name)
        return NetSpec.__getattr__(self, name) if found is None else found

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def keys(self) -> list[str]:
        """The names that were assigned, in order."""
        return list(self.__dict__)

    def update(
        self, tops: Mapping[str, Any] | str, params: Mapping[str, Any] | None = None
    ) -> None:
        """Assign several tops, or change parameters of a layer: `update("conv1", dict(...))`."""
        if isinstance(tops, str):
            top = self[tops]
            (top.fn if isinstance(top, Top) else top).params.update(params or {})
            return
        for name, value in tops.items():
            self[name] = value

    def __setstate__(self, state: tuple[dict[str, Top | Function] | None, dict[str, str]]) -> None:
        """Take over what `copy` or `pickle` brings: the tops, and the name of the net."""
        tops, slots = state
        self.__dict__.update(tops or {})  # None for a net without any
        object.__setattr__(self, "_net_name", slots["_net_name"])

    def __deepcopy__(self, memo: dict[int, Any]) -> NetSpec:
        """A net with layers of its own; no recursion from layer to layer, so of any depth."""
        copy = type(self)(self._net_name)
        memo[id(self)] = copy
        for function in _in_order(self.__dict__.values()):
            if id(function) not in memo:
                memo[id(function)] = _copied(function, memo)
        for name, value in self.__dict__.items():
            found = _twin(value, memo) if isinstance(value, Top) else memo[id(value)]
            copy.__dict__[name] = found
        return copy

    def to_message(self) -> Message:
        """The NetParameter with all layers that the assigned tops need."""
        names = {top: name for name, top in self.__dict__.items()}
        return _net(self.__dict__.values(), names, self._net_name)

    def to_prototxt(self) -> str:
        """The net as prototxt text."""
        with collection_paused():
            return print_message(self.to_message())

    def to_proto(self, module: ModuleType | None = None) -> ProtobufMessage:
        """The net as a protobuf NetParameter, which is what pycaffe gives.

        Its class is BVLC's, which has no fields of forks, or that of `module`, a fork's `caffe_pb2`.
        """
        return _to_protobuf(self.to_message(), module)


# what a top of the name would hide
_OWN_NAMES = frozenset(dir(NetSpec))


def _copied(function: Function, memo: dict[int, Any]) -> Function:
    """A layer like this one; the copies of those it reads are in `memo`."""
    copied = object.__new__(Function)
    copied.type_name, copied.place = function.type_name, function.place
    copied.ntop, copied.in_place = function.ntop, function.in_place
    copied.inputs = tuple([_twin(top, memo) for top in function.inputs])
    copied.params = deepcopy(function.params, memo)
    copied.tops = tuple([Top(copied, top.n) for top in function.tops])
    return copied


def _twin(top: Top, memo: Mapping[int, Any]) -> Top:
    """The same top of its layer's copy."""
    copied: Function = memo[id(top.fn)]
    # a top of a layer in place may be beyond those that it was given
    return copied.tops[top.n] if top.n < copied.ntop else Top(copied, top.n)


def to_message(*tops: Top | Function) -> Message:
    """The NetParameter of all layers that the tops need, named automatically."""
    for index, top in enumerate(tops):
        if not isinstance(top, (Top, Function)):
            raise NotATop(f"`to_proto`: argument {index} is not a Top{_found(top)}")
    return _net(tops, {}, "")


def to_proto(*tops: Top | Function) -> ProtobufMessage:
    """The protobuf NetParameter of all layers that the tops need, named automatically."""
    return _to_protobuf(to_message(*tops))


def _to_protobuf(message: Message, module: ModuleType | None = None) -> ProtobufMessage:
    from caffegen.schema.protobuf import to_protobuf

    return to_protobuf(message, module)


def _found(value: Any) -> str:
    """What stands where a Top should, and the edit where it is plain."""
    if isinstance(value, Function):
        return f", it is a {value.type_name} layer without tops"
    kind = type(value).__name__
    if isinstance(value, (tuple, list)) and value and all(isinstance(v, Top) for v in value):
        return f", it is a {kind} of {len(value)} Tops; name them one by one"
    return f" (its type is {kind})"


def _net(
    roots: Iterable[Top | Function], names: Mapping[Top | Function, str], net_name: str
) -> Message:
    net = Message(message_type("NetParameter"))
    if net_name:
        net.set("name", net_name)
    with collection_paused():
        for layer in _layers(roots, names):
            net.add("layer", layer)
    return net


def _layers(
    roots: Iterable[Top | Function], given: Mapping[Top | Function, str]
) -> Iterator[Message]:
    """One LayerParameter a layer, every layer after those it reads."""
    layer_type = message_type("LayerParameter")
    names = dict(given)
    counts: dict[str, int] = {}
    blobs: dict[Function, list[str]] = {}

    def name_of(key: Top | Function, type_name: str) -> str:
        name = names.get(key)
        if name is None:
            counts[type_name] = number = counts.get(type_name, 0) + 1
            name = names[key] = f"{type_name}{number}"
        return name

    for function in _in_order(roots):
        kind = function.type_name
        bottoms = [_blob(blobs[top.fn], top) for top in function.inputs]
        tops = bottoms if function.in_place else [name_of(top, kind) for top in function.tops]
        blobs[function] = tops
        name = name_of(function.tops[0] if function.ntop else function, kind)
        layer = Message(layer_type)
        layer.set("name", name)
        layer.set("type", kind)
        layer.set("bottom", bottoms)
        layer.set("top", tops)
        try:
            for key, value in function.params.items():
                assign_keyword(layer, kind, key, value)
        except FieldError as error:
            raise DslError(
                f"{function.describe(name)}: {keyword_sentence(kind, error)}",
                layer=name, layer_type=kind, field=error.field,
            ) from None  # fmt: skip
        yield layer


def _in_order(roots: Iterable[Top | Function]) -> Iterator[Function]:
    """The layers that the roots need, bottoms first, each once; no recursion, so any depth."""
    finished: dict[Function, bool] = {}
    for root in roots:
        first = root.fn if isinstance(root, Top) else root
        if first in finished:
            continue
        finished[first] = False
        stack = [(first, iter(first.inputs))]
        while stack:
            function, bottoms = stack[-1]
            for bottom in bottoms:
                if bottom.fn not in finished:
                    finished[bottom.fn] = False
                    stack.append((bottom.fn, iter(bottom.fn.inputs)))
                    break
                if not finished[bottom.fn]:
                    raise DslError(
                        f"{function.describe()} reads a top that is made from its own",
                        layer_type=function.type_name,
                    )
            else:
                finished[function] = True
                stack.pop()
                yield function


def _blob(tops: list[str], top: Top) -> str:
    if top.n < len(tops):
        return tops[top.n]
    raise DslError(
        f"{top.fn.describe()} works in place on {len(tops)} bottoms and has no top {top.n}",
        layer_type=top.fn.type_name, field="in_place",
    )  # fmt: skip

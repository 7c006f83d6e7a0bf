"""From layers to a graph: which layers the state includes, and how blobs connect them."""

from .graph import Graph, Node, Value, build_graph
from .state import NetState, filter_layers, state_of

__all__ = ["Graph", "NetState", "Node", "Value", "build_graph", "filter_layers", "state_of"]

"""What is used of a network's graph in OpenVINO, which ships no py.typed. Private side; nothing is imported here."""

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Node(Protocol):
    """One step; `data` only of a constant."""

    @property
    def data(self) -> NDArray[np.float32]:
        """The numbers of a constant."""

    def get_type_name(self) -> str:
        """What the node does."""

    def get_friendly_name(self) -> str:
        """Its name, no other node's."""

    def get_attributes(self) -> dict[str, object]:
        """The node's settings."""

    def input_values(self) -> Sequence["Value"]:
        """What comes in."""

    def input(self, index: int) -> "Input":
        """One way in."""

    def output(self, index: int) -> "Value":
        """What goes out."""


class Value(Protocol):
    """One edge of the graph, where it begins."""

    def get_node(self) -> Node:
        """The node it comes from."""

    def get_index(self) -> int:
        """Which of that node's outputs it is."""

    def get_target_inputs(self) -> Collection["Input"]:
        """Where it goes."""

    def replace(self, other: "Value") -> None:
        """Let all that took this one take the other."""


class Input(Protocol):
    """One edge of the graph, where it ends."""

    def get_node(self) -> Node:
        """The node it goes to."""

    def replace_source_output(self, value: Value) -> None:
        """Let it come from there."""


class Graph(Protocol):
    """A network as it was read."""

    def get_ops(self) -> Sequence[Node]:
        """All nodes."""

    def get_ordered_ops(self) -> Sequence[Node]:
        """All nodes, each behind those it takes from."""

    def validate_nodes_and_infer_types(self) -> None:
        """Work out anew what every node gives."""

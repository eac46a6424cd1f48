"""A lifecycle drawn: as Mermaid, as Graphviz dot, as SVG. Pure Python, the same bytes for the same data."""

from tasktwin.diagram.svg import svg
from tasktwin.diagram.text import dot, mermaid

__all__ = ["dot", "mermaid", "svg"]

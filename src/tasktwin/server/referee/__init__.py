"""How clients coped: judged from a world's journal, when somebody asks."""

from tasktwin.server.referee.report import report

__all__ = ["report"]

"""What is: the clock, identifiers, rows, timers, events and the journal of one world."""

from tasktwin.state.clock import EARLIEST, LATEST, Clock, elapsed, format_instant, parse_instant
from tasktwin.state.ids import Chance, make_hex, make_token, make_uuid
from tasktwin.state.journal import REDACTED, Entry, Journal, Ledger, redact
from tasktwin.state.memory import MemoryStore
from tasktwin.state.store import Event, Query, Row, Snapshot, Store, Timer
from tasktwin.state.text import contains, holds

__all__ = [
    "EARLIEST",
    "LATEST",
    "REDACTED",
    "Chance",
    "Clock",
    "Entry",
    "Event",
    "Journal",
    "Ledger",
    "MemoryStore",
    "Query",
    "Row",
    "Snapshot",
    "Store",
    "Timer",
    "contains",
    "elapsed",
    "format_instant",
    "holds",
    "make_hex",
    "make_token",
    "make_uuid",
    "parse_instant",
    "redact",
]

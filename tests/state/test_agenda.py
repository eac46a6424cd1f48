from tasktwin.state.agenda import SLACK, Agenda
from tasktwin.state.store import Timer


def test_the_heap_stays_in_proportion_however_often_a_timer_is_armed_again() -> None:
    agenda = Agenda(era=None)
    agenda.arm(Timer(0, "task", "first", "expire"))
    for n in range(5000):
        agenda.arm(Timer(10_000 - n, "task", f"row {n % 10}", "expire"))
        assert len(agenda.heap) <= 2 * len(agenda.live) + SLACK
    assert len(agenda.live) == 11
    assert agenda.earliest() == (0, 1, Timer(0, "task", "first", "expire"))


def test_a_timer_put_back_while_its_old_entry_waits_fires_once() -> None:
    agenda = Agenda(era=None)
    agenda.arm(Timer(1, "task", "a", "expire"))
    agenda.arm(Timer(5, "task", "b", "expire"))
    kept = agenda.live["task", "b"]
    agenda.change(("task", "b"), None)
    agenda.change(("task", "b"), kept)
    agenda.change(("task", "a"), None)
    assert agenda.earliest() is kept
    agenda.change(("task", "b"), None)
    assert agenda.earliest() is None

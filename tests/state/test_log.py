from tasktwin.state.log import Log

BOUNDS = (100, 32)


def test_topics_retire_several_at_once_and_keep_the_recent_ones() -> None:
    log = Log(era=None)
    for n in range(33):
        log.append(f"t{n}", n, "log", None, BOUNDS)
    assert sorted(log.retired) == ["t0", "t1", "t2"]
    assert len(log.topics) == 30


def test_undoing_in_reverse_gives_back_what_was() -> None:
    log = Log(era=None)
    for n in range(32):
        log.append(f"t{n}", n, "log", None, BOUNDS)
    before = log.bounds()
    written = [log.append(topic, 99, "log", None, (1, 32)) for topic in ("t1", "new", "t0", "t0", "newer")]
    assert log.bounds() != before
    for one in reversed(written):
        log.undo(one)
    assert (log.bounds(), log.retired) == (before, {})

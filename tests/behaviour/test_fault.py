"""Trouble on order: what can be ordered, which requests meet it, and that chance is the world's."""

from fnmatch import fnmatchcase
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasktwin.behaviour.deed import KINDS, CorruptFault, DelayFault, DropFault, StatusFault, StreamFault, TruncateFault
from tasktwin.behaviour.fault import MOST, Fault, Faults, gentle, parse_faults
from tasktwin.errors import MisuseError
from tasktwin.wire import Json

quiet = settings(derandomize=True, deadline=None, database=None)
OPERATIONS = ("createTask", "listTasks", "streamRun")


def ordered(*entries: Json, seed: int = 7) -> Faults:
    """A world's faults, as ordered."""
    faults = Faults(seed)
    faults.put(parse_faults(list(entries)))
    return faults


def struck(faults: Faults, requests: int, operation: str = "createTask", principal: str = "") -> list[str]:
    """The names of the faults that so many requests meet; "" for none."""
    found = [faults.choose(operation, principal) for _ in range(requests)]
    return [fault.name if fault else "" for fault in found]


def busy(**match: Json) -> Json:
    """An order of 503."""
    return {"match": match, "do": {"status": 503}}


# ── what can be ordered ──────────────────────────────────────────────────────────────────────────────────────────────

DOES = {
    "a status": ({"status": 503}, StatusFault(503)),
    "a status as a float": ({"status": 503.0}, StatusFault(503)),
    "a status with a wait": ({"status": 503, "retry_after": 0}, StatusFault(503, 0)),
    "a delay": ({"delay": 0.25}, DelayFault(0.25)),
    "a delay by chance": ({"delay": {"lognormal": [-3, 0.5]}}, DelayFault(0, (-3, 0.5))),
    "a drop before": ({"drop": "before"}, DropFault("before")),
    "a drop after": ({"drop": "after"}, DropFault("after")),
    "nothing of the body": ({"truncate": 0}, TruncateFault(0)),
    "no JSON": ({"corrupt": "json"}, CorruptFault("json")),
    "wrong JSON": ({"corrupt": "schema"}, CorruptFault("schema")),
    "members nobody knows": ({"corrupt": "unknown-fields"}, CorruptFault("unknown-fields")),
    "a wrong media type": ({"corrupt": "content-type"}, CorruptFault("content-type")),
    "a cut in the middle": ({"stream": "cut"}, StreamFault("cut", 1)),
    "a cut before an event": ({"stream": "cut", "event": 3, "byte": 0}, StreamFault("cut", 3, 0)),
    "a gap": ({"stream": "gap", "event": 2}, StreamFault("gap", 2)),
    "CRLF": ({"stream": "crlf"}, StreamFault("crlf")),
    "a retry at once": ({"stream": "retry", "retry": 0}, StreamFault("retry", retry=0)),
}


@pytest.mark.parametrize(("do", "expected"), DOES.values(), ids=DOES)
def test_an_order_is_read(do: Json, expected: object) -> None:
    (fault,) = parse_faults([{"do": do}])
    assert (fault.name, fault.do) == ("fault-1", expected)
    assert (fault.operation, fault.principal, fault.probability, fault.times, fault.after) == ("*", "*", 1, None, 0)


WRONG: dict[str, tuple[Json, str]] = {
    "no list": ({"do": {"status": 500}}, "faults are a list, not an object"),
    "too many": ([busy()] * (MOST + 1), "101 faults are more than the 100"),
    "no object": ([[]], "/0: must be an object, not a list"),
    "a misspelt key": ([{"d": 1, "do": {"status": 500}}], "/0/d: there is no key 'd'. Did you mean 'do'?"),
    "nothing to do": ([busy(), {"name": "x"}], "/1/do: must say what to do: one of status, delay, drop"),
    "an empty deed": ([{"do": {}}], "/0/do: must have exactly one of status, delay, drop, truncate, corrupt, stream, not nothing"),
    "two deeds": ([{"do": {"status": 500, "stream": "cut"}}], "not status and stream"),
    "a misspelt deed": ([{"do": {"sttus": 500}}], "/0/do/sttus: there is no key 'sttus'. Did you mean 'status'?"),
    "a delay of 301": ([{"do": {"delay": 301}}], "/0/do/delay: must be a number from 0 to 300, not 301"),
    "a delay back": ([{"do": {"delay": -1}}], "/0/do/delay: must be a number from 0 to 300, not -1"),
    "a delay of text": ([{"do": {"delay": "1"}}], "/0/do/delay: must be a number from 0 to 300, not '1'"),
    "a delay of nan": ([{"do": {"delay": float("nan")}}], "/0/do/delay: must be a number from 0 to 300, not nan"),
    "a misspelt spread": ([{"do": {"delay": {"lognorml": [1, 1]}}}], "/0/do/delay/lognorml: delay takes no key 'lognorml'. Did you mean 'lognormal'?"),
    "no spread": ([{"do": {"delay": {}}}], "/0/do/delay/lognormal: must be a list of two numbers, [mu, sigma], not null"),
    "half a spread": ([{"do": {"delay": {"lognormal": [1]}}}], "/0/do/delay/lognormal: must be a list of two numbers"),
    "a huge mu": ([{"do": {"delay": {"lognormal": [7, 1]}}}], "/0/do/delay/lognormal/0: must be a number from -20 to 6"),
    "a sigma below 0": ([{"do": {"delay": {"lognormal": [1, -1]}}}], "/0/do/delay/lognormal/1: must be a number from 0"),
    "a misspelt drop": ([{"do": {"drop": "befor"}}], "/0/do/drop: there is no 'befor'. Did you mean 'before'?"),
    "more than a drop": ([{"do": {"drop": "after", "byte": 1}}], "/0/do/byte: there is no key 'byte'"),
    "bytes below 0": ([{"do": {"truncate": -1}}], "/0/do/truncate: must be a whole number from 0"),
    "a misspelt corruption": ([{"do": {"corrupt": "shema"}}], "/0/do/corrupt: there is no 'shema'. Did you mean 'schema'?"),
    "a wait of a year": ([{"do": {"status": 503, "retry_after": 31536000}}], "/0/do/retry_after: must be a whole number from 0 to 86400"),
    "a method of numbers": ([busy(method=1)], "/0/match/method: must be a pattern"),
    "a long story": ([{"about": "x" * 201, "do": {"status": 500}}], "/0/about: must be a text of at most 200 characters"),
    "a key with a slash": ([{"a/b": 1, "do": {"status": 500}}], "/0/a~1b: there is no key 'a/b'"),
    "a status as text": ([{"do": {"status": "500"}}], "/0/do/status: must be a whole number from 200 to 599, not '500'"),
    "a status as true": ([{"do": {"status": True}}], "from 200 to 599, not true"),
    "a status of 1": ([{"do": {"status": 1}}], "from 200 to 599, not 1"),
    "no status": ([{"do": {"status": None}}], "from 200 to 599, not null"),
    "a status below": ([{"do": {"status": 199}}], "from 200 to 599, not 199"),
    "a status above": ([{"do": {"status": 600}}], "from 200 to 599, not 600"),
    "half a status": ([{"do": {"status": 500.5}}], "from 200 to 599, not 500.5"),
    "more than a status": ([{"do": {"status": 500, "event": 1}}], "/0/do/event: there is no key 'event'"),
    "a misspelt stream": ([{"do": {"stream": "ctu"}}], "/0/do/stream: there is no 'ctu'. Did you mean 'cut'?"),
    "a stream of lists": ([{"do": {"stream": [[]]}}], "/0/do/stream: there is no a list"),
    "an event of CRLF": ([{"do": {"stream": "crlf", "event": 1}}], "/0/do/event: stream: crlf takes no key 'event'"),
    "a byte of a gap": ([{"do": {"stream": "gap", "byte": 1}}], "/0/do/byte: stream: gap takes no key 'byte'"),
    "a retry of a cut": ([{"do": {"stream": "cut", "retry": 1}}], "/0/do/retry: stream: cut takes no key 'retry'"),
    "event 0": ([{"do": {"stream": "gap", "event": 0}}], "/0/do/event: must be a whole number from 1 to 1000000, not 0"),
    "a byte before the first": ([{"do": {"stream": "cut", "byte": -1}}], "/0/do/byte: must be a whole number from 0"),
    "a byte of null": ([{"do": {"stream": "cut", "byte": None}}], "/0/do/byte: must be a whole number"),
    "a misspelt match": ([busy(operaton="x")], "/0/match/operaton: there is no key 'operaton'. Did you mean 'operation'?"),
    "a match of null": ([{"match": None, "do": {"status": 500}}], "/0/match: must be an object, not null"),
    "a pattern of 201": ([busy(principal="x" * 201)], "/0/match/principal: must be a pattern of at most 200"),
    "a pattern of numbers": ([busy(operation=3)], "/0/match/operation: must be a pattern"),
    "an unknown operation": ([busy(operation="createTsk")], "there is no operation 'createTsk'. Did you mean 'createTask'?"),
    "a probability above 1": ([busy(probability=1.1)], "/0/match/probability: must be a number from 0 to 1, not 1.1"),
    "a probability of true": ([busy(probability=True)], "/0/match/probability: must be a number from 0 to 1, not true"),
    "no number at all": ([busy(probability=float("nan"))], "/0/match/probability: must be a number from 0 to 1, not nan"),
    "fewer than no times": ([busy(times=-1)], "/0/match/times: must be a whole number from 0"),
    "half after": ([busy(after=0.5)], "/0/match/after: must be a whole number from 0"),
    "a name for no header": ([{"name": "a\n", "do": {"status": 500}}], "/0/name: must be 1 to 64 letters"),
    "a name of a number": ([{"name": 1, "do": {"status": 500}}], "/0/name: must be 1 to 64 letters"),
    "a name twice": ([{"name": "fault-2", "do": {"status": 500}}, busy()], "/1/name: 'fault-2' is the name of /0 already"),
}  # fmt: skip


@pytest.mark.parametrize(("order", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_order_is_refused_naming_entry_and_key(order: Json, told: str) -> None:
    with pytest.raises(MisuseError) as caught:
        parse_faults(order, OPERATIONS)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("streams", "told"), [(("watchRun", "watchJob"), "watchJob, watchRun"), ((), "none")], ids=["some", "none"]
)
def test_trouble_for_a_stream_that_there_is_not_is_refused_with_those_there_are(
    streams: tuple[str, ...], told: str
) -> None:
    order: list[Json] = [busy(), {"match": {"operation": "create*"}, "do": {"stream": "cut"}}]
    with pytest.raises(MisuseError) as caught:
        parse_faults(order, (*OPERATIONS, *streams), frozenset(streams))
    assert str(caught.value) == f"/1/do/stream: 'create*' answers with no stream; these do: {told}"


def test_trouble_for_streams_of_all_operations_is_refused_where_there_are_none() -> None:
    with pytest.raises(MisuseError, match="/0/do/stream: '\\*' answers with no stream; these do: none"):
        parse_faults([{"do": {"stream": "cut"}}], OPERATIONS, frozenset())


def test_trouble_for_some_streams_is_taken() -> None:
    (fault,) = parse_faults([{"match": {"operation": "watch*"}, "do": {"stream": "cut"}}], (), {"watchJob"})
    assert fault.do == StreamFault("cut")


def test_an_endless_wrong_word_is_told_in_few() -> None:
    with pytest.raises(MisuseError) as caught:
        parse_faults([{"do": {"x" * 1_000_000: 1}}], OPERATIONS)
    assert len(str(caught.value)) < 400


ENTRIES = st.fixed_dictionaries(
    {
        "do": st.one_of(
            st.fixed_dictionaries({"status": st.integers(200, 599)}),
            st.fixed_dictionaries({"status": st.integers(200, 599), "retry_after": st.integers(0, 86_400)}),
            st.fixed_dictionaries({"delay": st.floats(0, 300)}),
            st.fixed_dictionaries(
                {
                    "delay": st.fixed_dictionaries(
                        {"lognormal": st.tuples(st.floats(-20, 6), st.floats(0, 10)).map(list)}
                    )
                }
            ),
            st.fixed_dictionaries({"drop": st.sampled_from(["before", "after"])}),
            st.fixed_dictionaries({"truncate": st.integers(0, 9_000)}),
            st.fixed_dictionaries({"corrupt": st.sampled_from(["json", "schema", "content-type", "unknown-fields"])}),
            st.fixed_dictionaries({"stream": st.sampled_from(KINDS)}),
            st.fixed_dictionaries({"stream": st.just("cut"), "event": st.integers(1, 9), "byte": st.integers(0, 9)}),
            st.fixed_dictionaries({"stream": st.just("retry"), "retry": st.integers(0, 9_000)}),
        )
    },
    optional={
        "match": st.fixed_dictionaries(
            {},
            optional={
                "operation": st.text(max_size=20),
                "principal": st.sampled_from(["*", "human:*", "?uman:[a-z]*", "[", "[z-a]", "[!", "**"]),
                "method": st.sampled_from(["*", "GET", "P*"]),
                "probability": st.floats(0, 1),
                "times": st.integers(0, 5),
                "after": st.integers(0, 5),
            },
        ),
        "about": st.text(max_size=20),
    },
)


@quiet
@given(st.lists(ENTRIES, max_size=5))
def test_what_is_told_of_an_order_orders_the_same(entries: list[Json]) -> None:
    faults = parse_faults(entries)
    assert parse_faults([fault.as_json() for fault in faults]) == faults


@quiet
@given(ENTRIES, st.text(max_size=20), st.text(max_size=20))
def test_any_pattern_means_what_the_shell_means(entry: Json, operation: str, principal: str) -> None:
    faults = ordered(entry)
    (fault,) = parse_faults([entry])
    faults.choose(operation, principal, "GET")
    told = ((operation, fault.operation), (principal, fault.principal), ("GET", fault.method))
    meant = all(fnmatchcase(name, pattern) for name, pattern in told)
    assert faults.as_json()[0]["matched"] == meant


# ── which requests meet it ───────────────────────────────────────────────────────────────────────────────────────────


def test_without_an_order_nothing_strikes() -> None:
    faults = Faults(0)
    assert not faults
    assert faults.choose("createTask", "human:alice") is None
    assert faults.as_json() == []


MATCHES: dict[str, tuple[dict[str, Json], str, str, bool]] = {
    "all": ({}, "createTask", "", True),
    "the operation": ({"operation": "createTask"}, "createTask", "", True),
    "another operation": ({"operation": "createTask"}, "listTasks", "", False),
    "a pattern": ({"operation": "*Task"}, "createTask", "", True),
    "another case": ({"operation": "createtask"}, "createTask", "", False),
    "the principal": ({"principal": "human:alice"}, "createTask", "human:alice", True),
    "a kind of principals": ({"principal": "human:*"}, "createTask", "human:alice", True),
    "another principal": ({"principal": "human:alice"}, "createTask", "human:bob", False),
    "nobody known": ({"principal": "?*"}, "createTask", "", False),
    "one of both": ({"operation": "createTask", "principal": "human:*"}, "createTask", "agent:ada", False),
}


@pytest.mark.parametrize(("match", "operation", "principal", "meets"), MATCHES.values(), ids=MATCHES)
def test_a_fault_strikes_what_it_matches(match: Json, operation: str, principal: str, meets: bool) -> None:  # noqa: FBT001
    faults = ordered(busy(**match))
    assert bool(faults.choose(operation, principal)) is meets
    assert (faults.as_json()[0]["matched"], faults.as_json()[0]["struck"]) == (meets, meets)


COUNTS: dict[str, tuple[dict[str, Json], str]] = {
    "always": ({}, "xxxxxx"),
    "once": ({"times": 1}, "x....."),
    "never": ({"times": 0}, "......"),
    "after two": ({"after": 2}, "..xxxx"),
    "the third and fourth": ({"after": 2, "times": 2}, "..xx.."),
    "by no chance": ({"probability": 0}, "......"),
}


@pytest.mark.parametrize(("match", "expected"), COUNTS.values(), ids=COUNTS)
def test_a_fault_strikes_as_often_as_ordered(match: Json, expected: str) -> None:
    faults = ordered(busy(**match))
    assert "".join("x" if name else "." for name in struck(faults, 6)) == expected
    assert (faults.as_json()[0]["matched"], faults.as_json()[0]["struck"]) == (6, expected.count("x"))


def test_of_several_the_first_in_order_strikes_and_a_forestalled_one_waits() -> None:
    faults = ordered(busy(times=1), busy(times=1), busy(operation="listTasks"))
    assert struck(faults, 3) == ["fault-1", "fault-2", ""]
    assert [(each["matched"], each["struck"]) for each in faults.as_json()] == [(3, 1), (3, 1), (0, 0)]


def test_faults_of_streams_and_others_are_chosen_and_counted_apart() -> None:
    faults = ordered(busy(times=1), {"name": "cut", "do": {"stream": "cut"}})
    met = [faults.choose("streamRun", "", stream=stream) for stream in (False, True, False)]
    assert [fault and fault.name for fault in met] == ["fault-1", "cut", None]
    assert [(each["matched"], each["struck"]) for each in faults.as_json()] == [(2, 1), (1, 1)]


def test_a_new_order_replaces_the_old_and_counts_anew() -> None:
    faults = ordered(busy(times=1))
    assert struck(faults, 2) == ["fault-1", ""]
    faults.put(parse_faults([{"name": "again", **busy(times=1)}]))
    assert struck(faults, 2) == ["again", ""]
    faults.clear()
    assert (bool(faults), struck(faults, 1)) == (False, [""])


def test_a_world_takes_no_more_than_so_many() -> None:
    fault = Fault("x", StatusFault(500))
    with pytest.raises(MisuseError, match="101 faults"):
        Faults(0).put([fault] * (MOST + 1))


# ── chance ───────────────────────────────────────────────────────────────────────────────────────────────────────────

HALF: Json = {"name": "half", **busy(probability=0.5)}


def test_the_same_seed_and_requests_give_the_same_trouble() -> None:
    assert struck(ordered(HALF), 100) == struck(ordered(HALF), 100)
    assert struck(ordered(HALF), 100) != struck(ordered(HALF, seed=8), 100)


def test_a_fault_strikes_about_as_often_as_is_probable() -> None:
    rare = {**HALF, "match": {"probability": 0.1}}
    assert 400 < struck(ordered(HALF), 1_000).count("half") < 600
    assert 60 < struck(ordered(rare), 1_000).count("half") < 140


def test_two_faults_of_one_kind_are_struck_by_chances_of_their_own() -> None:
    faults = ordered(HALF, {**HALF, "name": "other"})
    met = struck(faults, 1_000)
    assert 200 < met.count("other") < 300
    assert 200 < met.count("") < 300


@quiet
@given(st.lists(ENTRIES, max_size=4), st.lists(st.sampled_from(OPERATIONS), max_size=30))
def test_another_fault_and_other_requests_do_not_shift_the_chance_of_one(
    others: list[Json], requests: list[str]
) -> None:
    alone = ordered(HALF)
    expected = struck(alone, 30)
    among = ordered({**HALF, "match": {"probability": 0.5, "operation": "mine"}}, *others)
    met = []
    for operation in [*requests, *["mine"] * 30]:
        fault = among.choose(operation, "")
        met += [fault.name if fault and fault.name == "half" else ""] if operation == "mine" else []
    assert met == expected


# ── delays ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def delays(faults: Faults, requests: int) -> list[float]:
    """The seconds that so many requests wait."""
    found = [faults.choose("createTask", "") for _ in range(requests)]
    return [fault.do.seconds for fault in found if fault and isinstance(fault.do, DelayFault)]


def slow(mu: float, sigma: float, **match: Json) -> Json:
    """An order of delays by chance."""
    return {"match": match, "do": {"delay": {"lognormal": [mu, sigma]}}}


def test_delays_by_chance_are_lognormal() -> None:
    logs = sorted(log(each) for each in delays(ordered(slow(-2, 0.5)), 2_000))
    quantiles = [logs[2_000 * percent // 100] for percent in (16, 50, 84)]
    assert quantiles == pytest.approx([-2.5, -2, -1.5], abs=0.08)


def test_delays_by_chance_are_the_same_for_the_same_seed_whoever_else_is_struck() -> None:
    alone = delays(ordered(slow(-2, 1)), 20)
    assert alone == delays(ordered(slow(-2, 1)), 20)
    assert alone != delays(ordered(slow(-2, 1), seed=8), 20)
    assert alone[3:] == delays(ordered(slow(-2, 1), seed=7), 3 + 17)[3:]
    assert delays(ordered({"name": "fault-1", **slow(-2, 1, after=3)}), 20) == alone[3:]


def test_no_delay_is_endless() -> None:
    found = delays(ordered(slow(6, 10)), 500)
    assert max(found) == pytest.approx(300)
    assert all(0 <= each <= 300.0001 for each in found)


def test_what_is_told_of_a_delay_is_what_was_ordered_not_what_was_drawn() -> None:
    faults = ordered(slow(-2, 1))
    delays(faults, 3)
    assert faults.as_json()[0]["do"] == {"delay": {"lognormal": [-2, 1]}}


# ── the bundled set ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_fault_of_the_gentle_set_says_why_it_is_there() -> None:
    assert all(fault.about.endswith(".") for fault in gentle())
    assert {type(fault.do) for fault in gentle()} == {DelayFault, StatusFault, DropFault, CorruptFault}


def test_the_gentle_set_has_no_trouble_that_a_client_could_notice() -> None:
    for fault in gentle():
        match fault.do:
            case StatusFault():
                assert fault.do.wait is not None, "a client knows when to come back"
            case DropFault():
                assert (fault.do.when, fault.method) == ("before", "GET"), "whoever reads may ask again"
            case CorruptFault():
                assert fault.do.what == "unknown-fields"
            case DelayFault():
                assert max(delays(ordered({"name": fault.name, "do": fault.do.as_json()}), 1_000)) < 1


def test_the_gentle_set_is_disclosed_while_all_of_it_is_ordered() -> None:
    faults = Faults(0)
    faults.put(gentle())
    assert faults.disclosed == "gentle"
    faults.put((*gentle(), Fault("mine", StatusFault(500))))
    assert faults.disclosed == "gentle"
    faults.put(gentle()[:1])
    assert faults.disclosed == ""


def test_a_fault_by_method_strikes_only_that() -> None:
    faults = ordered(busy(method="P*"))
    assert [bool(faults.choose("any", "", method)) for method in ("GET", "POST", "PUT")] == [False, True, True]


@pytest.mark.parametrize(("status", "wait"), [(429, 1), (503, 1), (500, None), (200, None)])
def test_who_is_told_to_come_back_is_told_when(status: int, wait: int | None) -> None:
    assert StatusFault(status).wait == wait
    assert StatusFault(status, 7).wait == 7

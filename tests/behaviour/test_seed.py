from pathlib import Path

import pytest
from tests.behaviour.jobs import NOON, rules, worlds
from tests.provider.small import SEEDS

from tasktwin.behaviour.seed import compile_maker, parse_duration
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.errors import DataError, MisuseError
from tasktwin.state import Chance, Query, Row
from tasktwin.wire import Json

MARKET = """\
about: Many
extends: default
make:
  job:
    - count: 300
      row:
        title: "Job {$n}"
        hours: {$between: [1, 5]}
        state: {$pick: [open, done]}
        owner: {$pick: [ann, $n, {$pick: [cid]}]}
        created_at: {$pick: [-1h, "2025-12-31T00:00:00Z"]}
"""
FILES = {"seeds/default.yaml": SEEDS, "seeds/many.yaml": MARKET}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("400ms", 0.4),
        ("1s", 1),
        ("90s", 90),
        ("10m", 600),
        ("72h", 259_200),
        ("3d", 259_200),
        ("36500d", 3_153_600_000),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds * 1_000_000


@pytest.mark.parametrize("text", ["", "0s", "00d", "5", "s", "1.5h", "-1s", "1 s", "1S", "1w", "36501d", "٣d", "1s\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration: write 400ms, 90s, 10m, 72h or 3d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("maker", "values"),
    [
        ({"$pick": ["a", "b", "c"]}, ["a", "b", "c"]),
        ({"$between": [3, 5]}, [3, 4, 5]),
        ({"$between": [-1, -1]}, [-1]),
        ({"$pick": [1, {"$between": [2, 3]}]}, [1, 2, 3]),
        ("no. {$n}", ["no. 9"]),
    ],
    ids=repr,
)
def test_a_maker_draws_every_value_and_no_other(maker: Json, values: list[Json]) -> None:
    make, chance = compile_maker(maker), Chance(1, "x")
    assert {make({"now": 0, "n": 9}, chance) for _ in range(60)} == set(values)


def test_makers_stand_at_any_depth() -> None:
    make = compile_maker({"tags": [{"$pick": ["a"]}, "$n"], "pay": {"low": {"$between": [7, 7]}}})
    assert make({"now": 0, "n": 2}, Chance(1, "x")) == {"tags": ["a", 2], "pay": {"low": 7}}


@pytest.mark.parametrize(
    "maker",
    [{"$pick": []}, {"$pick": "ab"}, {"$between": [2, 1]}, {"$between": [1]}, {"$pick": [1], "x": 1}, [{"$nix": 1}], {"a": {"$pik": []}}],
    ids=repr,
)  # fmt: skip
def test_what_makes_nothing_is_refused(maker: Json) -> None:
    with pytest.raises(DataError, match="makes nothing"):
        compile_maker(maker)


def rows(folder: Path, seed: int = 0) -> list[Row]:
    return worlds(folder, FILES, seeds="many", seed=seed).get().store.find(Query("job"))


def test_the_same_seed_number_makes_the_same_rows_and_another_makes_others(tmp_path: Path) -> None:
    assert rows(tmp_path) == rows(tmp_path)
    assert [row["id"] for row in rows(tmp_path)][3:] != [row["id"] for row in rows(tmp_path, seed=1)][3:]
    assert [row["hours"] for row in rows(tmp_path)] != [row["hours"] for row in rows(tmp_path, seed=1)]


def test_rows_of_the_extended_seeds_come_first_then_those_made_by_a_rule(tmp_path: Path) -> None:
    found = rows(tmp_path)
    assert [row["title"] for row in found[:5]] == ["Paint", "Sweep", "Cook", "Job 0", "Job 1"]
    assert len(found) == 303
    assert {row["owner"] for row in found if isinstance(row["owner"], str)} == {"ann", "ben", "cid"}


def test_times_count_from_the_beginning_of_the_world(tmp_path: Path) -> None:
    found = {row["title"]: row for row in rows(tmp_path)}
    assert found["Paint"]["created_at"] == "2026-01-01T11:00:00Z"
    assert found["Sweep"]["updated_at"] == "2026-01-01T11:00:00Z"
    assert {row["created_at"] for row in list(found.values())[3:]} == {"2026-01-01T11:00:00Z", "2025-12-31T00:00:00Z"}


def test_amounts_are_written_with_their_places(tmp_path: Path) -> None:
    assert rows(tmp_path)[0]["price"] == "5.00"


def test_a_seeded_row_runs_out_as_if_it_had_been_made_then(tmp_path: Path) -> None:
    text = SEEDS.replace("owner: ben, created_at: -1d", "owner: ben, created_at: -2d, updated_at: -2d")
    world = worlds(tmp_path, {"seeds/default.yaml": text}).get()
    assert [(each.row, each.instant - NOON) for each in world.advance(86_400)] == [("j3", 86_400 * 1_000_000)]


def test_the_empty_seeds_need_no_file_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    found = worlds(tmp_path, seeds="empty")
    assert found.get().store.sizes() == {}
    with pytest.raises(MisuseError, match="there are no seeds 'busy': known are default, empty"):
        worlds(tmp_path, seeds="busy").get()


def test_a_beginning_that_has_no_such_time_is_refused(tmp_path: Path) -> None:
    built, seeds = rules(tmp_path)
    with pytest.raises(MisuseError, match=r"has no time -(2h|1h|1d), which its seeds need"):
        Worlds(built, seeds, Plan(now=-62_135_596_800_000_000, mode="frozen")).get()

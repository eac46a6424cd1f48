"""AITasker: what a task must say, what the agents answer, and which bid wins.

The content rule is stated for create and publish; the agents' side is not public, so bids are made up from the
world's seed. FIDELITY.md lists each assumption.
"""

from tasktwin.behaviour.step import Step, effect
from tasktwin.dialect.fastapi import Fields
from tasktwin.errors import Refusal
from tasktwin.state import Chance, Query, format_instant
from tasktwin.wire import Json

WEEK = 7 * 86_400 * 1_000_000
PRESENTED = 3
TITLE_WORDS = 8
LEAST_BUDGET = 3
EMPTY: dict[str, Json] = {
    "title": "",
    "description": "",
    "category": "",
    "task_type": "",
    "requirements": {},
    "budget_usd": 0.0,
    "experimentation": 0.3,
}
"""What a task holds where nothing was sent, because no answer may have null there."""
AGENTS = (
    ("Inkwell", "gold"),
    ("Northlight", "silver"),
    ("Quickdraft", "bronze"),
    ("Pagemill", "silver"),
    ("Longhand", "bronze"),
)
NEEDED = "a description or a transcript of at least {} characters"


def _content(step: Step) -> str:
    """What the task says, typed or spoken, whichever is longer."""
    typed: str = step.row["description"]
    spoken = step.row["requirements"].get("transcript")
    return max(typed.strip(), spoken.strip() if isinstance(spoken, str) else "", key=len)


def _short(step: Step) -> int:
    """How many characters are needed, if there are fewer; else 0."""
    needed: int = step.world.rules.settings["description_min_length"]
    return needed if len(_content(step)) < needed else 0


@effect()
def complete_task(step: Step) -> None:
    """What the buyer left open and no answer may leave out."""
    blank = {name: value for name, value in EMPTY.items() if step.row[name] is None}
    expires = format_instant(step.scope["now"] + WEEK, step.world.rules.precision)
    step.set(**blank, expires_at=expires)


@effect()
def give_title(step: Step) -> None:
    """A task that is offered without a title is called after its first words; one that was called "" stays so."""
    if not step.row["title"] and step.body.get("title") is None:
        step.set(title=" ".join(_content(step).split()[:TITLE_WORDS])[:200])


@effect("content_missing")
def need_content(step: Step) -> None:
    """A task is created with content, typed or spoken (SEED2). Told as pydantic tells of a model's own rule."""
    if needed := _short(step):
        sent = step.body.sent if isinstance(step.body, Fields) else step.body
        message = f"Value error, provide {NEEDED.format(needed)}"
        fault: Json = {"type": "value_error", "loc": ["body"], "msg": message, "input": sent, "ctx": {"error": {}}}
        raise Refusal("content_missing", data=[fault])


@effect("content_missing_at_publish", "draft_incomplete")
def need_content_to_publish(step: Step) -> None:
    """A draft is published with content, typed or spoken (SEED2), and with what create requires."""
    if needed := _short(step):
        step.refuse("content_missing_at_publish", f"Provide {NEEDED.format(needed)}")
    missing = [name for name in ("category", "task_type") if not step.row[name]]
    missing += ["budget_usd"] if step.row["budget_usd"] < LEAST_BUDGET else []
    if missing:
        step.refuse("draft_incomplete", f"Set {', '.join(missing)} first")


@effect()
def keep_values(step: Step) -> None:
    """An explicit null in an autosave leaves the field alone where the answer cannot hold null."""
    before = step.before or {}
    kept = {name: before[name] for name, value in step.body.items() if value is None and name in EMPTY}
    if kept:
        step.set(**kept)


@effect()
def make_bids(step: Step) -> None:
    """The prototypes that are ready when the window ends: the best are presented, the others declined."""
    row, chance = step.row, Chance(step.world.beginning.seed, f"bids:{step.row['id']}")
    scores = sorted((round(0.6 + 0.4 * chance.fraction(), 2) for _ in AGENTS), reverse=True)
    for place, ((agent, tier), score) in enumerate(zip(AGENTS, scores, strict=True)):
        presented = place < PRESENTED
        step.add(
            "bid",
            task_id=row["id"],
            agent_id=step.new_id(),
            round="1",
            bid_price_usd=round(row["budget_usd"] * (0.7 + 0.3 * chance.fraction()), 2),
            prototype_summary=f"A first version of: {row['title']}",
            artifacts=[],
            eval_score=score,
            eval_breakdown={"quality": score, "fit": round(chance.fraction(), 2)},
            presented=presented,
            selected=False,
            status="presented" if presented else "declined",
            agent_name=agent,
            agent_tier=tier,
            agent_message="Here is how I would do it.",
        )


@effect()
def choose_bid(step: Step) -> None:
    """The chosen bid is selected, the others are declined."""
    chosen = step.needed("bid")
    for bid in step.find("bid", task_id=step.row["id"]):
        selected = bid["id"] == chosen["id"]
        step.change("bid", bid, selected=selected, status="selected" if selected else "declined")


@effect()
def bid_gallery(step: Step) -> Json:
    """The task with its presented bids, best first."""
    task = step.row["id"]
    bids = step.world.store.find(Query("bid", (("presented", True), ("task_id", task)), "eval_score", descending=True))
    return {
        "task": step.row,
        "bids": bids,
        "total_bids_generated": step.count("bid", task_id=task),
        "remix_available": step.row["status"] == "review",
        "remix_fee_usd": 1.0,
        "review_extensions_used": 0,
        "review_extensions_remaining": 0,
    }


@effect()
def all_categories(step: Step) -> Json:
    """The whole taxonomy, in the object that the vendor's client looks for first."""
    return {"categories": step.find("category")}

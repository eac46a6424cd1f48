"""AITasker's two documented calls as a real FastAPI app, and bodies to send to it.

The models are those of the reference pages Create Task and Update Draft Task; what the pages leave open is as the twin's
data has it.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field, model_validator

from tasktwin.wire import Json

RULE = "provide a description or a transcript of at least 20 characters"
NULLABLE = {"title", "description", "category", "task_type", "requirements", "budget_usd", "experimentation"}
EMPTY: dict[str, Json] = {
    "title": "",
    "description": "",
    "category": "",
    "task_type": "",
    "requirements": {},
    "budget_usd": 0.0,
    "experimentation": 0.3,
    "brand_kit_id": None,
}

app = FastAPI()
draft: dict[str, Json] = dict(EMPTY)
bearer = HTTPBearer()
Signed = Annotated[Any, Depends(bearer)]


class TaskCreate(BaseModel):
    """The body of Create Task."""

    category: str
    task_type: str
    budget_usd: float = Field(ge=3, le=300)
    title: str | None = Field(None, max_length=200)
    description: str = Field("", max_length=5000)
    requirements: dict[str, Any] = Field(default_factory=dict)
    experimentation: float = Field(0.3, ge=0, le=1)
    brand_kit_id: UUID | None = None

    @model_validator(mode="after")
    def _require_content(self) -> Self:
        spoken = self.requirements.get("transcript")
        if max(len(self.description.strip()), len(spoken.strip()) if isinstance(spoken, str) else 0) < 20:
            raise ValueError(RULE)
        return self


class TaskDraftUpdate(BaseModel):
    """The body of Update Draft Task."""

    title: str | None = Field(None, max_length=200)
    description: str | None = Field(None, max_length=5000)
    category: str | None = None
    task_type: str | None = None
    requirements: dict[str, Any] | None = None
    budget_usd: float | None = Field(None, ge=3, le=300)
    experimentation: float | None = Field(None, ge=0, le=1)
    brand_kit_id: UUID | None = None


@app.post("/api/v1/tasks", status_code=201)
async def create_task(task: TaskCreate, _signed: Signed) -> dict[str, Any]:
    """Answer what was read."""
    return task.model_dump()


@app.patch("/api/v1/tasks/{task_id}")
async def update_draft_task(task_id: UUID, task: TaskDraftUpdate, _signed: Signed) -> dict[str, Any]:
    """Change the one draft. Null leaves alone what may not be null."""
    assert task_id
    fields = task.model_dump(exclude_unset=True)
    draft.update({name: value for name, value in fields.items() if value is not None or name not in NULLABLE})
    return draft


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────

VALID: dict[str, Json] = {
    "category": "data",
    "task_type": "spreadsheet",
    "budget_usd": 12,
    "description": "Names and prices of twenty suppliers.",
}
NUMBERS = [2.99, 3, 3.0, 300, 300.01, 0, -1, 0.5, 1, 1.01, -0.01, 1e300, 2**53, True, False]
TEXTS = ["", " ", "a", "é😀", "12", " 12 ", "1e1", "1_0", "nan", "-inf", "0x1", "٣", "12.5.1", "\x00", "null", "true"]
LONG = ["t" * 200, "t" * 201, "😀" * 200, "😀" * 201, "d" * 5000, "d" * 5001, "d" * 19, " " + "d" * 19 + " "]
UUIDS = [
    "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "3C90C3CC0D444B5088888DD25736052A",
    "{3c90c3cc-0d44-4b50-8888-8dd25736052a}",
    "urn:uuid:3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "3c90c3cc-0d44-4b50-8888-8dd25736052",
    "nope",
]
THINGS: list[Json] = [None, [], {}, [1], {"a": [{"b": None}]}, {"transcript": "s" * 20}, {"transcript": 5}, [["a", 1]]]
POOL: list[Json] = [*NUMBERS, *TEXTS, *LONG, *UUIDS, *THINGS]
FITTING: dict[str, list[Json]] = {
    "category": ["data", ""],
    "task_type": ["logo-design", "x"],
    "budget_usd": [3, 300, "12", 151.5],
    "title": ["Suppliers", None, "t" * 200],
    "description": ["d" * 20, "d" * 5000],
    "requirements": [{}, {"transcript": "s" * 20}],
    "experimentation": [0, 1, "0.25"],
    "brand_kit_id": [None, *UUIDS[:4]],
}
WHOLE: list[Json] = [None, [], [VALID], "text", 5, 1.5, True, {}, ""]


def bodies(seed: int, count: int, base: dict[str, Json]) -> Iterator[bytes]:
    """Bodies that begin as ``base``: some untouched, most with a few fields changed, some no objects, some no JSON."""
    random = Random(seed)
    for _ in range(count):
        kind = random.random()
        whole = json.dumps(_changed(random, base), ensure_ascii=random.random() < 0.5)
        if kind < 0.07:
            whole = json.dumps(random.choice(WHOLE))
        elif kind < 0.17:
            whole = whole[: random.randrange(1, len(whole))] + random.choice(["", "x", ",", "}", '"', "\n"])
        yield whole.encode()


def _changed(random: Random, base: dict[str, Json]) -> dict[str, Json]:
    body = dict(base)
    for name in random.sample([*FITTING], random.randrange(4)):
        body[name] = random.choice(FITTING[name] if random.random() < 0.5 else POOL)
    if body and random.random() < 0.15:
        del body[random.choice([*body])]
    if random.random() < 0.2:
        body[random.choice(["status", "user_id", "Title", ""])] = random.choice(POOL)
    return body

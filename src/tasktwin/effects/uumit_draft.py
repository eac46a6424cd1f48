"""UUMit: a draft grows from a description, by plain rules of text for Chinese and English. No model is asked.

The vendor shows the request and nothing of what its model makes of it, so the rules are ours; FIDELITY.md lists what
they take for granted. The same words always give the same draft.
"""

# ruff: noqa: RUF001 - the punctuation of Chinese is meant

import re
from decimal import Decimal

from tasktwin.behaviour.step import Step, effect
from tasktwin.behaviour.view import show
from tasktwin.state import Row

LONGEST_TITLE = {"en": 60, "zh": 30}
SHORTEST_CUT = 10
"""A title is rather cut inside a word than left shorter than this."""

_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_SENTENCE = re.compile(r"[。！？；!?;\n]+|\.(?=\s|$)")
_OPENINGS = {
    "zh": re.compile(
        r"(?:(?:您好|你好|请|麻烦|帮我|帮忙|我们?(?:想要|想|要|需要|希望|会|能|可以|擅长)?|想要|需要|提供)[，,：:\s]*)+"
    ),
    "en": re.compile(
        r"(?:(?:hello|hi|please|(?:can|could) you|help me|(?:i|we) (?:need|want|offer|can|am looking for|would like)"
        r"|i'd like|looking for|you to|to)[,:]? )+",
        re.IGNORECASE,
    ),
}
"""How people begin to ask for something, or to offer it, before they say what."""

CATEGORIES = {
    "design": r"设计|海报|图标|插画|标志|(?<![a-z])(?:logo|design|poster|icon|banner|illustrat|sketch)",
    "translation": r"翻译|译成|译为|本地化|(?<![a-z])(?:translat|locali[sz])",
    "video": r"视频|剪辑|拍摄|短片|(?<![a-z])(?:video|film|footage)",
    "audio": r"音频|配音|录音|播客|(?<![a-z])(?:audio|podcast|voice-?over|transcri)",
    "finance": r"发票|财务|记账|报税|会计|(?<![a-z])(?:invoice|bookkeep|accounting|tax)",
    "data": r"数据|标注|表格|采集|爬虫|(?<![a-z])(?:data|dataset|label|spreadsheet|scrap|csv)",
    "development": r"开发|编程|网站|网页|小程序|代码|脚本|接口|(?<![a-z])(?:app|website|web page|code|script|api|bug)(?![a-z])",
    "research": r"调研|调查|研究|搜集|(?<![a-z])(?:research|survey|compar)",
    "writing": r"文案|文章|撰写|写作|润色|校对|(?<![a-z])(?:writ|article|essay|proof-?read|copywrit)",
}
"""The categories of the seeds, each with the words that speak for it; the first such word of a text decides."""

_CATEGORIES = {name: re.compile(words, re.IGNORECASE) for name, words in CATEGORIES.items()}
_OFFLINE = re.compile(r"线下|上门|现场|到店|实地|(?<![a-z])(?:offline|on[ -]site|in person)", re.IGNORECASE)

_NUMBER = r"(?<![0-9.,])(?P<number>[0-9]{1,3}(?:,[0-9]{3}){1,2}(?:\.[0-9]{1,2})?|[0-9]{1,9}(?:\.[0-9]{1,2})?)(?![0-9])"
_UNIT = r"(?:元|块|UT(?![a-z])|CNY|RMB|yuan)"
_AMOUNTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_NUMBER} ?(?P<many>[万千])? ?{_UNIT}",
        rf"(?:[¥￥]|CNY|RMB|(?<![a-z])UT|预算|赏金|报酬|(?<![a-z])budget|bounty)(?: of| is|是|为|约)?[:：]? ?[¥￥]? ?{_NUMBER} ?(?P<many>[万千])?",
    )
)
_MANY = {"千": 1_000, "万": 10_000}

_PRICING = {
    "per_hour": r"每小时|小时|时薪|/ ?h|(?:per|an|each) hour|hourly",
    "per_day": r"每天|日薪|/ ?day|(?:per|a|each) day|daily",
    "per_use": r"每次|每张|每页|每份|/ ?(?:use|page|piece)|(?:per|each) [a-z]",
}


@effect()
def understand(step: Step) -> None:
    """Everything that the draft will say stands here at once; the stages tell it part by part."""
    text = "\n".join(" ".join(line.split()) for line in step.row["description"].splitlines()).strip()
    text = text or step.row["description"]
    language = "zh" if _CHINESE.search(text) else "en"
    amount = find_amount(text)
    step.set(
        language=language,
        title=find_title(text, language),
        text=text,
        category=find_category(text),
        mode="offline" if _OFFLINE.search(text) else "online",
        amount=str(amount) if amount else None,
    )


@effect()
def finish_draft(step: Step) -> None:
    """What was drafted becomes a real task or skill of whoever asked for it."""
    kind = step.row["makes"]
    made = _make_task(step) if kind == "task" else _make_skill(step)
    step.set(result=show(step.world, step.world.rules.collections[kind], made, step.scope))


def _make_task(step: Step) -> Row:
    row = step.row
    return step.begin(
        "draft_by_ai",
        "task",
        user_id=row["user_id"],
        owner_type=row["owner_type"],
        bounty_currency=row["currency"],
        title=row["title"],
        description=row["text"],
        category=row["category"],
        mode=row["mode"],
        bounty_amount=row["amount"] or "0.00",
    )


def _make_skill(step: Step) -> Row:
    row = step.row
    amount = row["amount"] or "0.00"
    return step.add(
        "skill",
        user_id=row["user_id"],
        owner_type=row["owner_type"],
        status="active",
        name=row["title"],
        description=row["text"],
        category=row["category"] or "other",
        mode=row["mode"],
        pricing={"model": find_pricing(row["text"]) if row["amount"] else "negotiable", "amount": amount},
        ut_price=amount,
    )


def find_title(text: str, language: str) -> str:
    """The first sentence without its polite opening, cut where a word or a clause ends."""
    sentences = [part.strip() for part in _SENTENCE.split(text)]
    sentence = next(filter(None, sentences), text)
    opening = _OPENINGS[language].match(sentence)
    title = sentence[opening.end() :] if opening and opening.end() < len(sentence) else sentence
    title = title[0].upper() + title[1:]
    most = LONGEST_TITLE[language]
    if len(title) <= most:
        return title
    head = title[:most]
    cut = max(head.rfind(mark) for mark in " ,，、")
    return (head[:cut] if cut >= SHORTEST_CUT else head).rstrip(" ,，、") + "…"


def find_category(text: str) -> str | None:
    """The category whose word stands first; ``None`` if no word speaks for any."""
    found = {name: words.search(text) for name, words in _CATEGORIES.items()}
    places = {name: match.start() for name, match in found.items() if match}
    return min(places, key=places.__getitem__, default=None)


def find_amount(text: str) -> Decimal | None:
    """An amount of money that the text names, with two decimals; ``None`` if it names none, or nothing."""
    match = next((found for pattern in _AMOUNTS if (found := pattern.search(text))), None)
    if match is None:
        return None
    amount = Decimal(match["number"].replace(",", "")) * _MANY.get(match["many"] or "", 1)
    return amount.quantize(Decimal("0.01")) or None


def find_pricing(text: str) -> str:
    """What the amount is for: an hour, a day, each use, or all of it."""
    return next((model for model, words in _PRICING.items() if re.search(words, text, re.IGNORECASE)), "fixed")

"""UUMit, broken in the ways in which a task market breaks."""

from collections.abc import Callable
from typing import TypeAlias

from tests.deployments.deployment import Caller, Data, Deployment, Kind, ruled
from tests.deployments.uumit import front, story

from tasktwin import Provider
from tasktwin.behaviour.step import Step, effect
from tasktwin.effects.uumit import wallet_overview
from tasktwin.server.asgi import App
from tasktwin.wire import Json


def anybody_closes(data: Data) -> None:
    del data["lifecycles"]["task"]["transitions"]["close"]["only"]


def accept_unpaid(data: Data) -> None:
    data["lifecycles"]["transaction"]["transitions"]["accept"]["from"] = ["pending_freeze", "frozen"]


def either_confirms(data: Data) -> None:
    data["lifecycles"]["transaction"]["transitions"]["confirm"]["only"] = ["buyer", "seller"]


def put_reopens(data: Data) -> None:
    ways = data["lifecycles"]["task"]["transitions"]
    del data["lifecycles"]["task"]["states"]["closed"]["final"]
    ways["update_closed"] = {**ways["update_open"], "from": "closed", "to": "open"}


def no_draft_for_the_poor(data: Data) -> None:
    del data["lifecycles"]["task"]["transitions"]["create"]["otherwise"]


def drafts_in_the_hall(data: Data) -> None:
    data["operations"]["browseTaskHall"]["where"]["status"] = ["open", "draft"]


def anybody_reads_transactions(data: Data) -> None:
    del data["operations"]["getTransaction"]["only"]


def one_space_for_all(data: Data) -> None:
    data["collections"]["task"]["visible"] = [{"status": {"not": "draft"}}, {"user_id": "$principal#/user_id"}]


def book_by_currency(data: Data) -> None:
    data["operations"]["listWalletTransactions"]["where"] = {"bucket": "$principal#/bucket"}


def cancel_forgets_money(data: Data) -> None:
    del data["lifecycles"]["transaction"]["transitions"]["cancel_frozen"]["effects"]


def accept_again(data: Data) -> None:
    data["lifecycles"]["application"]["transitions"]["accept"]["from"] = ["pending", "accepted"]
    data["lifecycles"]["task"]["transitions"]["match"]["from"] = ["open", "matched"]


@effect()
def total_of_available(step: Step) -> Json:
    """The wallet's total is what is available."""
    shown = wallet_overview(step)
    return {bucket: {**amounts, "total": amounts["available"]} for bucket, amounts in shown.items()}


def role_ignored(data: Data) -> None:
    own = [{"buyer_user_id": "$principal#/user_id"}, {"seller_user_id": "$principal#/user_id"}]
    data["operations"]["listTransactions"]["where"] = own


def joined_with_categories(data: Data) -> None:
    data["operations"]["listTasks"]["where"]["category"] = {"set": True}


def _is_healthy(_data: Data) -> None:
    """Nothing is changed but effects."""


_Row: TypeAlias = tuple[str, Kind, str, str, Callable[[Provider], App], Callable[[Caller], bool]]

_ROWS: tuple[_Row, ...] = (
    (
        "stranger-closes",
        "lifecycle",
        "Anybody who sees a task may close it.",
        "D-auth: 1003 is the answer to insufficient permissions",
        ruled(anybody_closes),
        story.stranger_closes,
    ),
    (
        "accepts-unpaid",
        "lifecycle",
        "A seller may accept a transaction that is not paid yet.",
        "D-tx: pending_freeze → frozen → accepted",
        ruled(accept_unpaid),
        story.unpaid_is_accepted,
    ),
    (
        "seller-confirms",
        "lifecycle",
        "The seller may confirm the own delivery, and is paid.",
        "D-tx: the buyer confirms",
        ruled(either_confirms),
        story.seller_confirms,
    ),
    (
        "put-reopens-closed",
        "lifecycle",
        "A change of a closed task opens it again.",
        "S0: closed is an end",
        ruled(put_reopens),
        story.closed_is_reopened,
    ),
    (
        "poor-loses-draft",
        "lifecycle",
        "What a person without money posts is refused and lost, not kept as a draft.",
        "S0: a task of a person whose balance is insufficient is saved as a draft",
        ruled(no_draft_for_the_poor),
        story.poor_gets_no_draft,
    ),
    (
        "hall-leaks-drafts",
        "isolation",
        "The task hall lists drafts, those of others too.",
        "S0: a draft is not published",
        ruled(drafts_in_the_hall),
        story.hall_shows_drafts,
    ),
    (
        "transaction-of-others",
        "isolation",
        "Whoever knows its id reads a transaction of others.",
        "D-tx: only for buyer and seller",
        ruled(anybody_reads_transactions),
        story.stranger_reads_transaction,
    ),
    (
        "agents-see-humans",
        "isolation",
        "Agents read people's tasks, and people those of agents.",
        "S0, D-auth: the credentials decide the owner_type; each side has its own",
        ruled(one_space_for_all),
        story.agent_reads_human_task,
    ),
    (
        "key-without-user",
        "isolation",
        "The wallet opens to a platform's key alone, as its first user.",
        "D-auth: X-Api-Key and X-Platform-User-Id are both needed",
        front.key_alone,
        story.half_a_key_is_enough,
    ),
    (
        "wallet-book-of-all",
        "isolation",
        "The wallet's book holds everybody's movements in the caller's currency.",
        "D-wal: the caller's wallet",
        ruled(book_by_currency),
        story.book_of_others,
    ),
    (
        "cancel-keeps-frozen",
        "money",
        "The price of a cancelled transaction stays frozen for ever.",
        "itself: what cancelling does not spend is available again",
        ruled(cancel_forgets_money),
        story.cancelled_stays_frozen,
    ),
    (
        "accept-pays-twice",
        "money",
        "An application can be accepted twice, and the bounty moves twice.",
        "D-err: 4001, the state does not allow this",
        ruled(accept_again),
        story.accepted_twice_is_paid_twice,
    ),
    (
        "total-without-frozen",
        "money",
        "The wallet's total leaves out what is frozen.",
        "D-wal: total is available and frozen",
        ruled(_is_healthy, wallet_overview=total_of_available),
        story.total_leaves_out_frozen,
    ),
    (
        "freeze-race",
        "race",
        "Two transactions that are frozen at the same time cost the price of one.",
        "itself: each frozen transaction has its price",
        front.race_of_freezes,
        story.two_freezes_cost_one,
    ),
    (
        "replay-ignores-payload",
        "idempotency",
        "A key is replayed even for another request.",
        "D-bp: different intents need different keys; IETF Idempotency-Key draft: 422",
        front.payload_ignored,
        story.other_payload_is_replayed,
    ),
    (
        "purchase-ignores-key",
        "idempotency",
        "The same purchase with the same key is made twice.",
        "S3: the same key returns the first successful result",
        front.key_ignored,
        story.key_is_ignored,
    ),
    (
        "key-shared",
        "idempotency",
        "Whoever uses another's key is given the other's answer.",
        "IETF Idempotency-Key draft: keys are looked up with who the client is",
        front.key_shared,
        story.key_is_shared,
    ),
    (
        "duplicates-race",
        "idempotency",
        "Of duplicates that come while the first is being answered each one acts.",
        "S3: the same key returns the first successful result",
        front.race_of_duplicates,
        story.duplicates_both_act,
    ),
    (
        "page-overlaps",
        "paging",
        "Each later page of tasks begins with the last row of the one before.",
        "S3: PagedData holds a page of the items",
        front.pages_overlap,
        story.second_page_repeats,
    ),
    (
        "total-of-all",
        "paging",
        "The total of a caller's transactions counts everybody's.",
        "S3: PagedData's total is that of the items",
        front.total_of_all,
        story.total_counts_others,
    ),
    (
        "role-ignored",
        "filter",
        "The filter of transactions by role does nothing.",
        "D-tx: filterable by role and status",
        ruled(role_ignored),
        story.role_is_ignored,
    ),
    (
        "list-lacks-uncategorised",
        "filter",
        "A task without a category is missing in its owner's list.",
        "S0: the list shows one's own tasks",
        ruled(joined_with_categories),
        story.made_but_not_listed,
    ),
    (
        "emoji-fails",
        "validation",
        "A title with an emoji ends in a 500.",
        "HTTP: a valid request is no server error",
        front.three_bytes_only,
        story.emoji_is_a_defect,
    ),
    (
        "refusal-without-code",
        "error",
        "Insufficient permissions are told with 200 and without a code.",
        "S0, D-auth: the envelope has a code; 1003 comes with 403",
        front.refusal_as_success,
        story.refusal_without_code,
    ),
    (
        "change-not-kept",
        "contract",
        "A changed category is answered, but not stored.",
        "itself: what it answers is what it has",
        front.change_not_kept,
        story.change_is_not_kept,
    ),
    (
        "retry-after-too-short",
        "limit",
        "Who made ten skills today is told to come back in a second, every second.",
        "D-auth, HTTP: Retry-After says how long to wait",
        front.short_wait,
        story.wait_is_too_short,
    ),
    (
        "settled-untold",
        "stream",
        "A subscription closes without telling that the transaction is settled.",
        "S3: event task tells each change of the state",
        front.end_untold,
        story.end_is_not_told,
    ),
    (
        "window-ends-silently",
        "timer",
        "A subscription's window ends without its heartbeat.",
        "S3: a heartbeat tells that the window ends",
        ruled(front.silent_window),
        story.window_ends_in_silence,
    ),
    (
        "resume-skips",
        "stream",
        "Who reconnects to a draft misses the next event.",
        "SSE: Last-Event-ID is the last event that was received",
        front.reconnect_loses_one,
        story.event_lost_on_reconnect,
    ),
    (
        "rpc-id-nought",
        "rpc",
        "An id of 0 comes back as null.",
        "JSON-RPC 2.0: the id must be the same as in the request",
        front.falsy_id,
        story.id_nought_is_lost,
    ),
    (
        "rpc-unknown-method",
        "rpc",
        "An unknown method is an internal error.",
        "K1, JSON-RPC 2.0: -32601, method not found",
        front.unknown_method,
        story.unknown_method_is_a_defect,
    ),
    (
        "correct-other-words",
        "correct",
        "Other identifiers, words, members and headers: nothing that a client may mind.",
        "",
        front.other_words,
        story.something_is_wrong,
    ),
    (
        "correct-other-transport",
        "correct",
        "Slower, packed, its members in another order: nothing that a client may mind.",
        "",
        front.other_transport,
        story.something_is_wrong,
    ),
)

DEPLOYMENTS: list[Deployment] = [
    Deployment(f"uumit-{name}", "uumit", about, kind, against, break_, shows)
    for name, kind, about, against, break_, shows in _ROWS
]

"""What is written down about sending, many at a time: how calls ended, and which calls come next.

A row is `sending` and its attempt stands before the call is made. How calls ended never waits for the next claims.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

import structlog
from sqlmodel import Session, col, func, select

from bot import ways
from bot.last_moment import steady
from bot.platforms.base import Outcome
from bot.sending_choice import Pick, Picks, View, choose
from bot.sending_line import CHAT_SECONDS, Account, Call, Way
from bot.ways import Ways
from handlers import notices
from handlers.here import Here
from handlers.message import Reply
from models import claiming, lease, ledger, outbox, resting, unreachable, unsure
from models.claiming import Claimed
from models.database import is_away, machine_now_of, now_of
from models.ids import new_id
from models.person import Door, Person

BACKOFF_SECONDS = 5.0
STOPPED_SECONDS = 300.0
UNSERVED_AGAIN = timedelta(hours=1)
LEAST_PAUSE = 1.0
NO_WORDS_SECONDS = 60.0
NO_WORDS_LIMIT = timedelta(minutes=10)
LOOKS, LOOK_SECONDS = 10, 0.05  # at doors that somebody has locked
HEARD_SECONDS = 0.5  # a turn of the person is under way, or has just ended
MOST_CALLS = 3  # that the platform certainly did not take, for want of time or room; then the message is given up
WORDS_LOCK_MS = 500  # how long words may wait for a row that a turn holds
PLAIN = frozenset({"reply"})  # kinds whose words come from their parameters alone
# How the codes of calls begin that never reached the platform: they may be made again and again.
NO_NETWORK = ("connect", "not-sent", "token connect")
NOT_REACHED = (*NO_NETWORK, "late", "token")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """A call and how it ended; None = it was not made in time."""

    call: Call
    outcome: Outcome | None


@dataclass(slots=True)
class Booked:
    """What was committed: calls to be made now, those of them in place of a call that met a closed door (`instead`),
    and calls whose options must be remembered."""

    calls: list[Call] = field(default_factory=list)
    instead: list[Call] = field(default_factory=list)
    arrived: list[Call] = field(default_factory=list)


class Books:
    """Writes for one worker; `record` and `claim` may run side by side."""

    def __init__(self, worker: str, here: Callable[[str, str], Here], way: Ways) -> None:
        self._worker = worker
        self._here = here
        self._ways = way

    def record(self, session: Session, ended: Sequence[Ended], view: View, began: float) -> Booked:
        """How calls ended. `began` = when this transaction was about to begin, in `steady` seconds: from then on new
        claims run."""
        booked = Booked()
        self._end(session, ended, view, began, booked)
        return booked

    def claim(self, session: Session, picks: Picks, began: float) -> Booked:
        """What was picked, as far as nobody has taken it since."""
        booked = Booked()
        self._settle(session, picks)
        self._claim(session, picks.take, began, booked)
        return booked

    # How calls ended

    def _end(self, session: Session, ended: Sequence[Ended], view: View, began: float, booked: Booked) -> None:
        outbox.end_attempts(
            session,
            [
                (one.call.attempt, "late", "", "")
                if one.outcome is None
                else (one.call.attempt, one.outcome.name, one.outcome.code, one.outcome.reference)
                for one in ended
            ],
        )
        sent = [one.call for one in ended if _is_sent(one)]
        whole = [call.row for call in sent if not ways.is_card(call)]
        resent = [row.id for row in whole if row.resends]
        claiming.sent(session, [row.id for row in whole], self._worker, resent)
        # A card holds no words: the message itself waits until its person comes.
        self._hold(session, [call.row for call in sent if ways.is_card(call)], lambda _row, way: way.channel.windowed)
        elsewhere: list[tuple[Call, Outcome]] = []
        for one in ended:
            ways.ended(session, one.call, one.outcome)
            if one.outcome is None:
                outbox.put_back(session, one.call.row.id, self._worker, 0.0, "not begun in time")
            elif one.outcome.name == "sent":
                if one.call.reply.options and one.call.row.kind != "reply" and not ways.is_card(one.call):
                    booked.arrived.append(one.call)  # an answer's options were remembered in its turn
            elif one.outcome.name in ("closed", "left"):
                elsewhere.append((one.call, one.outcome))
            else:
                self._rule(session, one.call, one.outcome)
        if elsewhere:
            self._next_doors(session, elsewhere, view, began, booked)

    def _rule(self, session: Session, call: Call, outcome: Outcome) -> None:
        row, worker, account = call.row, self._worker, call.way.account
        why = f"{outcome.name} {outcome.code}".strip()
        if outcome.name == "retry":
            self._again(session, call, outcome)
        elif outcome.name == "uncertain":
            if self._ways.repeats(session, call):
                outbox.put_back(session, row.id, worker, BACKOFF_SECONDS, why)
            elif row.priority == outbox.EMERGENCY or (row.priority < outbox.CAMPAIGN and row.resends == 0):
                # An emergency is sent until it is certain, but not every five seconds for hours.
                later = min(BACKOFF_SECONDS * 2**row.resends, STOPPED_SECONDS)
                outbox.put_back(session, row.id, worker, later, why, resend=True)
            elif ways.is_card(call):  # the words went nowhere, and wait for their person
                self._hold(session, [row], lambda _row, way: way.channel.windowed, {row.id: why})
            elif outbox.end(session, row.id, worker, "uncertain", why):
                unsure.offer(session, [row])
        elif outcome.name == "refused":
            log.error("message_refused", platform=account[0], account=account[1], code=outcome.code, kind=row.kind)
            outbox.end(session, row.id, worker, "refused", why)
        else:
            log.error("account_stopped", platform=account[0], account=account[1], code=outcome.code)
            self._again(session, call, outcome)

    def _again(self, session: Session, call: Call, outcome: Outcome) -> None:
        """Certainly not sent: another time, unless the platform has said so too often."""
        row, why = call.row, f"{outcome.name} {outcome.code}".strip()
        calls = outbox.calls_refused(session, row.id, NOT_REACHED)
        if seconds := pauses_account(outcome):
            lease.pause(session, sends(call.way.account), seconds)
        elif seconds := pauses_chat(outcome):
            lease.pause(session, chat_pause(call.way.door.id), seconds)
        least = min(BACKOFF_SECONDS * 2 ** min(max(0, calls - 1), 6), STOPPED_SECONDS)
        later = max(outcome.retry_after, pauses_account(outcome), least)
        reached = not outcome.code.startswith(NOT_REACHED)
        given_up = reached and calls >= MOST_CALLS and row.priority != outbox.EMERGENCY
        if not given_up:
            outbox.put_back(session, row.id, self._worker, later, why)
        elif row.priority == outbox.CAMPAIGN:
            outbox.end(session, row.id, self._worker, "refused", f"{why}, {calls} times")
        elif _came(session, call):
            outbox.put_back(session, row.id, self._worker, max(later, HEARD_SECONDS), "heard meanwhile")
        else:
            outbox.hold(session, row.id, self._worker, f"{why}, {calls} times")

    def _next_doors(
        self, session: Session, ended: Sequence[tuple[Call, Outcome]], view: View, began: float, booked: Booked
    ) -> None:
        """These ways are closed. Together, for an account may close hundreds at once."""
        for call, outcome in ended:
            if outcome.name == "left":
                unreachable.left(session, call.way.door.id)
        # Of a used-up day the ledger knows; it may be over by now.
        tried = {
            call.row.id: call.tried | ({call.way.key} if outcome.code != ledger.ENOUGH else frozenset())
            for call, outcome in ended
        }
        open_ways = self._ways.again(session, [call.row for call, _outcome in ended], tried)
        closed, instead = dict[str, str](), list[Call]()
        for call, outcome in ended:
            row, here = call.row, open_ways[call.row.id]
            way = choose(row, here, view)
            if not here:
                closed[row.id] = f"{outcome.name} {outcome.code}".strip()
            elif way is None or way.account not in view.mine:
                there = outbox.line(*(way or here[0]).account)
                outbox.put_back(session, row.id, self._worker, 0.0, "another sender's account", line=there)
            elif seconds := _rests(way, view, machine_now_of(session)):
                outbox.put_back(session, row.id, self._worker, seconds, "chat paused", line=outbox.line(*way.account))
            elif claiming.still_claimed(session, row.id, self._worker, outbox.CLAIM_SECONDS):
                # What may be said at one door may not be said at the next: the words are made anew.
                reply = self._words(session, Pick(row, session.get_one(Person, row.person_id), way))
                if reply is not None:
                    instead.append(Call(row, reply, way, new_id(), began + outbox.CLAIM_SECONDS, tried[row.id]))
        booked.instead += self._begun(session, instead)
        rows = [call.row for call, _outcome in ended if call.row.id in closed]
        self._hold(session, rows, lambda row, way: way.channel.windowed or way.key not in tried[row.id], closed)

    def _begun(self, session: Session, calls: Sequence[Call]) -> list[Call]:
        """Write down that these calls are about to be made; returns those that may be."""
        made = ways.begin(session, calls)
        begun = {call.attempt for call in made}
        for call in calls:
            if call.attempt not in begun:
                outbox.put_back(session, call.row.id, self._worker, 0.0, "way gone")
        outbox.begin_attempts(
            session,
            [(call.attempt, call.row.id, call.way.door.id, call.way.channel.name, call.way.passed) for call in made],
        )
        return made

    def _hold(
        self,
        session: Session,
        rows: Sequence[Claimed],
        counts: Callable[[Claimed, Way], bool],
        why: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """No way is open to these claimed rows: they wait for their people's next message, unless that has come."""
        held = self._ways.held(session, rows, counts)
        reasons = {row: reason for reason, ids in held.items() for row in ids}
        for row in rows:
            if row.id in reasons:
                reason = reasons[row.id]
                told = reason if reason == ways.TOMORROW else why.get(row.id, reason)
                outbox.hold(session, row.id, self._worker, told, **ways.tomorrow(session, reason))
            else:
                outbox.put_back(session, row.id, self._worker, HEARD_SECONDS, "heard meanwhile")

    # What comes next

    def _settle(self, session: Session, picks: Picks) -> None:
        gone = {"state": "expired", "why": "too old to send", "ended_at": now_of(session), "params_sealed": None}
        claiming.settle(session, picks.expired, **gone)
        # Their people may have come, or opened a way, since it was looked.
        waits = {row.id: row for row in (*picks.homeless, *picks.closed)}
        homeless = {row.id for row in picks.homeless}
        for why, ids in self._ways.held(session, list(waits.values())).items():
            closed = [waits[row] for row in ids if row not in homeless]
            claiming.settle(session, closed, state="held", why=why, **ways.tomorrow(session, why))
            claiming.settle(session, [waits[row] for row in ids if row in homeless], state="held", why="no open door")
        if picks.broken:
            self._later(session, picks.broken)
        resting.rest(session, [row for rows in picks.rest.values() for row in rows])
        for until, rows in picks.paused.items():
            claiming.settle(session, rows, why="chat paused", **outbox.not_before(session, until))
        look_again = outbox.not_before(session, machine_now_of(session) + UNSERVED_AGAIN)
        claiming.settle(session, picks.unserved, state="held", why=outbox.UNSERVED, **look_again)
        for line, rows in picks.moved.items():
            claiming.settle(session, rows, line=line)

    def _later(self, session: Session, rows: Sequence[Claimed]) -> None:
        """A fault of ours keeps these back: it is tried again each minute, and after ten their people are called."""
        limit = now_of(session) - NO_WORDS_LIMIT
        later = machine_now_of(session) + timedelta(seconds=NO_WORDS_SECONDS)
        claiming.settle(session, [row for row in rows if row.due_at < limit], state="held", why=outbox.NO_WORDS)
        young = [row for row in rows if row.due_at >= limit]
        claiming.settle(session, young, why=outbox.NO_WORDS, **outbox.not_before(session, later))

    def _claim(self, session: Session, picks: Sequence[Pick], began: float, booked: Booked) -> None:
        if any(pick.row.kind not in PLAIN for pick in picks) and session.get_bind().dialect.name == "postgresql":
            session.connection().exec_driver_sql(f"SET LOCAL lock_timeout = {WORDS_LOCK_MS:d}")
        by_row = {pick.row.id: pick for pick in picks}
        until = began + outbox.CLAIM_SECONDS
        calls: list[Call] = []
        taken = claiming.take(session, self._worker, [pick.row for pick in picks])
        doubles = self._ways.may_double(session, [(row, by_row[row.id].way) for row in taken])
        for row in taken:
            pick = by_row[row.id]
            if row.id in doubles:
                if row.priority == outbox.CAMPAIGN:  # never sent again (platforms.md)
                    if pick.way.channel.cards is not None:
                        outbox.hold(session, row.id, self._worker, "uncertain")
                    elif outbox.end(session, row.id, self._worker, "uncertain", "key over"):
                        unsure.offer(session, [row])
                    continue
                pick = replace(pick, row=claiming.mark_again(session, self._worker, row))
            reply = self._words(session, pick)
            if reply is not None:
                calls.append(Call(pick.row, reply, pick.way, new_id(), until))
        booked.calls += self._begun(session, calls)

    def _words(self, session: Session, pick: Pick) -> Reply | None:
        """The words as they stand now; None where there are none, and the row is written off or put back."""
        row = pick.row
        try:
            if row.kind in PLAIN:
                reply = self._made(session, pick, pick.person)
            else:
                with session.begin_nested():
                    reply = self._made(session, pick, session.get_one(Person, row.person_id))
        except Exception as error:
            if is_away(error) and not _is_lock(error):
                raise
            # A fault of ours, or a deploy that went backwards: nothing was sent, so it waits for one that can.
            log.exception("no_words", kind=row.kind)
            if now_of(session) - row.due_at > NO_WORDS_LIMIT:
                outbox.hold(session, row.id, self._worker, outbox.NO_WORDS)  # so that somebody calls
            else:
                outbox.put_back(session, row.id, self._worker, NO_WORDS_SECONDS, outbox.NO_WORDS)
            return None
        if reply is None:
            outbox.end(session, row.id, self._worker, "superseded", "no longer true")
        return reply

    def _made(self, session: Session, pick: Pick, person: Person) -> Reply | None:
        row, door = pick.row, pick.way.door
        params = outbox.params_of(session, row)
        session.info["here"] = replace(self._here(door.platform, door.account), door_id=door.id)
        reply = notices.words(session, person, row.kind, params, again=row.resends > 0)
        return ways.with_card(reply, pick.way, row, person) if reply is not None else None


def pauses_account(outcome: Outcome) -> float:
    """For how many seconds no call of the account may begin; zero = they go on."""
    if outcome.name == "stopped":
        return STOPPED_SECONDS
    return max(outcome.retry_after, LEAST_PAUSE) if outcome.name == "retry" and outcome.whole_account else 0.0


def pauses_chat(outcome: Outcome) -> float:
    """For how many seconds no call may be made to this chat."""
    asked = outcome.name == "retry" and not outcome.whole_account and not outcome.code.startswith(NOT_REACHED)
    return outcome.retry_after if asked else 0.0


def _rests(way: Way, view: View, machine: datetime) -> float:
    """For how many seconds no call may be made to a chat, as this process knows."""
    until = view.paused.get(way.door.id)
    if until is not None and until > machine:
        return (until - machine).total_seconds()
    return CHAT_SECONDS if way.door.id in view.resting else 0.0


def sends(account: Account) -> str:
    """The name of the lease on sending for an account."""
    return f"send:{account[0]}:{account[1]}"


def chat_pause(door_id: str) -> str:
    """The name under which a chat's pause is kept."""
    return f"chat:{door_id}"


def _came(session: Session, call: Call) -> bool:
    """Whether the person has written since a call began, or is being answered now: what is held waits for that.

    Whoever answers has the doors locked until it is done; a claim has them for a moment only, and is waited for."""
    theirs = col(Door.person_id) == call.row.person_id
    look = select(Door).where(theirs).with_for_update(skip_locked=True).execution_options(populate_existing=True)
    every = session.exec(select(func.count()).select_from(Door).where(theirs)).one()
    since = now_of(session) - timedelta(seconds=steady() - (call.began or steady()) + 1)
    for _time in range(LOOKS):
        free = session.exec(look).all()
        if len(free) >= every:
            return any(door.last_in_at > since for door in free)
        time.sleep(LOOK_SECONDS)
    return True


def _is_sent(one: Ended) -> bool:
    return one.outcome is not None and one.outcome.name == "sent"


def _is_lock(error: BaseException) -> bool:
    """A row was held by somebody else for too long (PostgreSQL): the savepoint is enough to go on."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in ("55P03", "40P01")

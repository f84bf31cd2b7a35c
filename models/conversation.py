"""Where a person's talk stands. One row a person; the state is sealed, since it holds what was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlmodel import Field, Session, SQLModel, col

from models.database import insert_once, now_of, vault_of
from models.hot import Hot
from models.ids import new_token
from models.sealed import sealed_columns


class Conversation(SQLModel, table=True):
    """`revision` counts the turns that changed it. `touched_at` is programme time of the last one."""

    __tablename__ = "conversation"
    person_id: str = Field(primary_key=True, foreign_key="person.id")
    state_sealed: bytes
    touched_at: datetime = Field(index=True)
    revision: int = 0


class Prompt(SQLModel, table=True):
    """A question that was asked outside a talk (by a reminder, or by another person), which may be answered late.

    Pressing one of its buttons, or typing its number while it is what the person saw last, begins `dialogue` with
    these facts and that answer.
    """

    __tablename__ = "prompt"
    id: str = Field(default_factory=new_token, primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    dialogue: str
    question: str
    facts_sealed: bytes
    choices: str  # the values of the buttons, as JSON; labels are made when it is shown
    asked_at: datetime
    expires_at: datetime
    answered_at: datetime | None = None


sealed_columns("conversation", "person_id", "state_sealed")
sealed_columns("prompt", "id", "facts_sealed")


@dataclass
class Run:
    """One talk under way: which dialogue, its frozen facts, the answers by key, and the question that waits.

    `draft` holds the values ticked so far of a question with many answers. `undo` holds the answers that a correction
    has dropped, `undo_at` the question that it began with: there 返回 takes the correction back. `read` holds, by key,
    the values offered with long words that were shown already.
    """

    dialogue: str
    facts: dict[str, Any]
    answers: dict[str, Any] = field(default_factory=dict)
    waiting: str = ""
    prompt: str = field(default_factory=new_token)
    values: list[str] = field(default_factory=list)
    draft: list[str] = field(default_factory=list)
    revision: int = 0
    started_at: str = ""
    touched_at: str = ""
    misses: int = 0
    undo: dict[str, Any] = field(default_factory=dict)
    undo_at: str = ""
    read: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Notice:
    """The options of a message that came by itself, as they stand on the screen of one door (empty = any).

    `at` is when it had come (ISO, the machine's time). `numbers` is what a bare number is to it: "its" = nothing newer
    on that screen offers numbers; "perhaps" = a question has been pointed at since; "" = something newer offers some.
    """

    door: str
    at: str
    options: list[tuple[str, str]]
    numbers: str = "its"


MAX_NOTICES = 5


@dataclass
class State:
    """All talks of a person, the one that is heard last; and the options as they were shown last.

    `shown` pairs an option's id with its label, in the order of the numbers on the screen of the last answer;
    `notices` are the newest messages with options that came by themselves, the newest last. `which` = the last answer
    asked which of the two a number was for. `parked` are talks that were put away, idle too long or for want of room;
    the person may take them up again. `card` = when the newest card went that the person has answered.
    """

    runs: list[Run] = field(default_factory=list)
    shown: list[tuple[str, str]] = field(default_factory=list)
    parked: list[Run] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    which: bool = False
    card: str = ""
    # Within this turn only, not stored. missed_now: the waiting question took no answer; door: where the turn is held;
    # carded: a card has asked for whatever was typed now.
    ended_now: bool = False
    missed_now: bool = False
    door: str = ""
    carded: bool = False

    @property
    def current(self) -> Run | None:
        """The talk that hears the next message."""
        return self.runs[-1] if self.runs else None

    def as_json(self) -> dict[str, Any]:
        """Plain values for sealing at once: what is nested in them is shared with the state."""
        return {
            "runs": [dict(vars(run)) for run in self.runs],
            "shown": [list(pair) for pair in self.shown],
            "parked": [dict(vars(run)) for run in self.parked],
            "notices": [dict(vars(notice)) for notice in self.notices],
            "which": self.which,
            "card": self.card,
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> State:
        """The reverse; keys that a later version added or dropped are tolerated."""
        known = Run.__dataclass_fields__.keys()

        def runs(name: str) -> list[Run]:
            return [Run(**{key: value for key, value in run.items() if key in known}) for run in plain.get(name, [])]

        def pairs(kept: list[Any]) -> list[tuple[str, str]]:
            return [(pair[0], pair[1]) for pair in kept]

        notices = [
            Notice(one["door"], one["at"], pairs(one["options"]), one["numbers"]) for one in plain.get("notices", [])
        ]
        return cls(
            runs=runs("runs"),
            shown=pairs(plain.get("shown", [])),
            parked=runs("parked"),
            notices=notices,
            which=plain.get("which", False),
            card=plain.get("card", ""),
        )


_C: Any = SQLModel.metadata.tables["conversation"]
_LOCK = Hot(lambda _dialect: select(_C.c.state_sealed).where(_C.c.person_id == bindparam("person")).with_for_update())


def saving(person: Any, state: Any, at: Any) -> Any:
    """The statement that writes a sealed state back."""
    values = {"state_sealed": state, "touched_at": at, "revision": _C.c.revision + 1}
    return update(_C).where(_C.c.person_id == person).values(**values)


_SAVE = Hot(lambda _dialect: saving(bindparam("person"), bindparam("state"), bindparam("at")))


def lock(session: Session, person_id: str) -> State:
    """The person's talks; their row is locked until the transaction ends (SQLite: the whole database already is)."""
    found = _LOCK.first(session, person=person_id)
    if found is None:
        # Two copies may meet a new person at once: whoever comes second waits here for the first one's row.
        session.execute(
            insert_once(session, Conversation).values(
                person_id=person_id,
                state_sealed=sealed(session, person_id, State()),
                touched_at=now_of(session),
                revision=0,
            )
        )
        found = _LOCK.first(session, person=person_id)
        if found is None:
            raise LookupError("a conversation was neither made nor found")
    return opened(session, person_id, found[0])


def opened(session: Session, person_id: str, kept: bytes) -> State:
    """The state that a row keeps. Raises VaultError."""
    return State.from_json(vault_of(session).open_json("conversation.state_sealed", person_id, kept))


def save(session: Session, person_id: str, state: State) -> None:
    """Write the state back."""
    if not _SAVE.changed(session, person=person_id, state=sealed(session, person_id, state), at=now_of(session)):
        raise LookupError("the conversation went away under the turn that held it")


def sealed(session: Session, person_id: str, state: State) -> bytes:
    """The state as its row keeps it."""
    return vault_of(session).seal_json("conversation.state_sealed", person_id, state.as_json())


def leave_off(session: Session, person_id: str, dialogues: Mapping[str, timedelta]) -> None:
    """End a person's talks under way by these names, and withdraw the questions of these names that were asked outside
    a talk: those that were last heard of so long ago or longer. No number that is typed means a younger one either."""
    now = now_of(session)
    mine = (col(Prompt.person_id) == person_id, col(Prompt.dialogue).in_(dialogues))
    gone = set(session.scalars(select(col(Prompt.id)).where(*mine)))  # the numbers on the screen mean none of them
    for name, age in dialogues.items():
        session.execute(delete(Prompt).where(*mine, col(Prompt.dialogue) == name, col(Prompt.asked_at) <= now - age))
    if session.execute(select(_C.c.person_id).where(_C.c.person_id == person_id)).first() is None:
        return
    state = lock(session, person_id)
    ended = [run for run in (*state.runs, *state.parked) if _is_left_off(run, dialogues, now)]
    if not ended and not gone:
        return
    gone |= {run.prompt for run in ended}
    was = state.current
    state.runs = [run for run in state.runs if run not in ended]
    state.parked = [run for run in state.parked if run not in ended]
    state.shown = [pair for pair in state.shown if pair[0].partition(":")[0] not in gone]
    for notice in state.notices:
        notice.options = [pair for pair in notice.options if pair[0].partition(":")[0] not in gone]
    if state.current is not None and state.current is not was:
        # Its question is not the one on the screen: it is asked again before it hears anything.
        state.current.waiting, state.current.prompt = "", new_token()
    save(session, person_id, state)


def _is_left_off(run: Run, dialogues: Mapping[str, timedelta], now: datetime) -> bool:
    age = dialogues.get(run.dialogue)
    return age is not None and (not run.touched_at or datetime.fromisoformat(run.touched_at) <= now - age)


def forget_prompts(session: Session, older_than: timedelta, limit: int = 500) -> int:
    """Retention: questions whose time to be answered ended so long ago; returns how many, at most `limit`."""
    old = select(col(Prompt.id)).where(col(Prompt.expires_at) < now_of(session) - older_than).limit(limit)
    result = session.execute(delete(Prompt).where(col(Prompt.id).in_(old)))
    return int(getattr(result, "rowcount", 0))


def forget_abandoned(session: Session, older_than: timedelta, limit: int = 500) -> int:
    """Retention: talks that nobody has come back to for so long; returns how many, at most `limit`."""
    old = select(_C.c.person_id).where(_C.c.touched_at < now_of(session) - older_than).limit(limit)
    result = session.execute(delete(Conversation).where(col(Conversation.person_id).in_(old)))
    return int(getattr(result, "rowcount", 0))

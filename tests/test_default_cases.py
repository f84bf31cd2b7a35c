"""What every dialogue inherits: at each question that can be reached, the same bad cases end well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlmodel import select

from bot.receive import Receiver
from bot.spool import Spool
from handlers import menu
from handlers.dialogue import Ask, Waiting
from handlers.here import Here
from handlers.message import Inbound, Reply
from handlers.standing import replay_run
from models import serving
from models.alert import Alert
from models.conversation import Run, State, lock
from models.database import Database
from models.inbox import InboxMessage
from models.person import open_door
from models.role import RoleGrant
from models.serving import Doing
from tests.chatting import Chat
from tests.ledger_files import people
from tests.pairings import pair, somebody
from tests.people import two_on_duty
from tests.test_ledger_import import brought

# Words that answer a typed question, tried in order until one fits.
ANSWERS = ("王小明", "13800138000", "2005-08-13", "广州天河", "22:00-08:00", "2026-12-24", "小明", "3", "ABCD2345")
ANSWERS += ("2026-12-24 14:30", "17:00")
FAR = 8  # questions deep


class Heard(Chat):
    """A chat whose messages go through the receiver, where repeats and failures are told apart."""

    def __init__(self, database: Database, receiver: Receiver, sender: str = "alin", platform: str = "wechat") -> None:
        super().__init__(database, sender, platform)
        self.receiver = receiver
        self.last: Inbound | None = None

    def act(self, kind: str, **fields: object) -> str:
        self.count += 1
        self.last = Inbound(
            platform=self.platform,
            account="test",
            sender=self.sender,
            key=f"{self.sender}:{self.count}",
            kind=kind,  # type: ignore[arg-type]
            sent_at=self.database.clock.now(),
            **fields,  # type: ignore[arg-type]
        )
        return self.again().text

    def again(self) -> Reply:
        """The last message once more, as a platform repeats it."""
        assert self.last is not None
        received = self.receiver.transact(self.last, passive=True)
        assert received.reply is not None, self.last
        self.said = received.reply
        return received.reply

    def state(self) -> State:
        with self.database.read() as session:
            return lock(session, self.person().id)

    def waiting(self, name: str) -> Ask | None:
        """The question of this dialogue that waits now."""
        run: Run | None = self.state().current
        if run is None or run.dialogue != name:
            return None
        at = replay_run(menu.DIALOGUES[name], run)
        return at.ask if isinstance(at, Waiting) else None


@dataclass(frozen=True)
class Way:
    """How a dialogue is begun, and who must be there."""

    begin: Callable[[Heard], Any]
    registered: bool = False
    organiser: bool = False


def by_entry(key: str) -> Callable[[Heard], Any]:
    return lambda chat: chat.act("menu", menu=key)


def by_danger(chat: Heard) -> None:
    chat.act("menu", menu="sos")
    chat.press("写下发生了什么")


def ways() -> dict[str, Way]:
    """Every dialogue by its own menu entry; those that have none by what begins them."""
    found = {
        entry.dialogue.name: Way(by_entry(key)) for key, entry in menu.ENTRIES.items() if entry.dialogue is not None
    }
    found["tell_more"] = Way(by_danger)
    for name in found:
        strangers = name in ("registration", "recognition", "guardian")
        found[name] = Way(found[name].begin, not strangers, name in BY_ORGANISERS)
    return found


BY_ORGANISERS = (
    "activity_new",
    "duty_leave",
    "guardian_record",
    "hand_over_team",
    "institution_new",
    "qualifications",
    "specialist",
    "team_new",
    "volunteer_dates",
)
WAYS = ways()
# Begun by another person's act alone; tests of contact, on_duty, calls, ledger_chat and account and the transcripts
# teams*.chat lead there. A bare recognition code answers the only question of its talk: tests/test_guardian_codes.py.
ELSEWHERE = {
    "activity",
    "check_in_at",
    "lone_answer",
    "address_look",
    "agreement",
    "alert_phone",
    "alert_take",
    "book_visit",
    "call",
    "call_undo",
    "calls",
    "contact_answer",
    "contact_undo",
    "duty_deputy",
    "family_say",
    "check_out_asked",
    "family_feedback",
    "hand_overs",
    "handover",
    "hours",
    "hours_case",
    "hours_record",
    "hours_to_confirm",
    "household",
    "institution_step",
    "institutions",
    "households",
    "ledger",
    "ledger_answer",
    "ledger_import",
    "ledger_imports",
    "ledger_upload",
    "lone_partner",
    "match_all",
    "matched",
    "merge_confirm",
    "merge_undo",
    "messages",
    "nudge",
    "offer",
    "offer_undo",
    "offer_why",
    "proposal_pick",
    "recognition_check",
    "recognition_code",
    "relay_give",
    "relay_go_on",
    "relay_note",
    "relay_term",
    "roster_upload",
    "served_step",
    "silence",
    "stand_in",
    "substitute",
    "team",
    "teams",
    "turn",
    "turn_plan",
    "turns",
    "todo_act",
    "unpaired",
    "unvisited",
    "visit_act",
    "visit_answer",
    "visit_behalf",
    "visit_hold",
    "visit_read",
    "visit_off",
    "visit_report",
    "visit_vain",
}


@pytest.fixture
def receiver(database: Database, tmp_path: Any) -> Receiver:
    return Receiver(
        database,
        Spool(tmp_path / "spool", database.vault),
        lambda inbound: Here(
            inbound.platform,
            inbound.account,
            sensitive_in_chat=inbound.platform == "wechat",
            public_url="https://nuanyang.example",
        ),
    )


def ready(database: Database, receiver: Receiver, name: str) -> Heard:
    """A person who may hold this talk."""
    way = WAYS[name]
    chat = Heard(database, receiver)
    chat.act("follow")
    if way.registered:
        chat.register_by_talk()
    if way.organiser:
        with database.write() as session:
            session.add(
                RoleGrant(
                    person_id=chat.person().id,
                    role="organiser",
                    scope_kind="region",
                    scope="44",
                    granted_by="machine",
                    granted_at=database.clock.now(),
                )
            )
    if name == "check_out":
        with database.write() as session:
            serving.check_in(session, chat.person().id, Doing("study", "activity"))
    if name == "hand_over":
        two_on_duty(database)
        brought(database, people(1))
        with database.write() as session:
            pair(session, chat.person().id, somebody(session, 0))
    if name in ("unbind", "preferred_door"):
        with database.write() as session:
            door, _stranger = open_door(session, "telegram", "test", "77", "zh_CN", zone="Asia/Shanghai")
            door.person_id = chat.person().id
            session.add(door)
    return chat


def answer(chat: Heard, name: str) -> bool:
    """Give the waiting question an answer that leads on; False when the talk is over."""
    ask = chat.waiting(name)
    assert ask is not None
    if ask.many:
        chat.say("1")
    elif ask.check is None or (ask.choices and not ask.numeric and "county" in ask.key):
        chat.say("1") if ask.check is None else chat.say("广州天河")
    else:
        for words in ANSWERS:
            chat.say(words)
            after = chat.waiting(name)
            if after is None or after.key != ask.key:
                break
    after = chat.waiting(name)
    return after is not None and after.key != ask.key


def the_bad_cases(chat: Heard, name: str) -> None:
    """All of them at the question that waits now; afterwards it waits still."""
    ask = chat.waiting(name)
    assert ask is not None
    answers = chat.state().runs[-1].answers
    once_more = (ask.again or ask.text).split("\n")[0]

    def still(what: str) -> None:
        state = chat.state()
        assert state.current is not None, (name, ask.key, what)
        assert (state.current.dialogue, state.current.waiting) == (name, ask.key), what
        assert state.current.answers == answers, (name, ask.key, what)

    for kind, fields in (
        ("text", {"text": ""}),
        ("text", {"text": " \u200b\u3000 "}),
        ("media", {"media_kind": "sticker"}),
        ("media", {"media_kind": "voice"}),
        ("media", {"media_kind": "image"}),
        ("media", {"media_kind": "file"}),
    ):
        said = chat.act(kind, **fields)
        assert once_more in said, (name, ask.key, fields, said)
        still(str(fields))
    if not ask.location:
        chat.act("location", latitude=23.1, longitude=113.3)
        still("location")
        assert once_more in chat.said.text
    for word in ("菜单", "帮助", "help", "？"):
        assert chat.say(word)
        still(word)
    assert "已经回答过了" in chat.act("choice", choice="x" * 22 + ":0")
    assert once_more in chat.said.text, "the waiting question is put once more"
    still("stale button")
    said = chat.say("我想自杀")
    assert said.startswith("如有危险请先拨打110／120"), (name, ask.key)
    still("danger word")
    chat.act("media", media_kind="sticker")
    if ask.check is None:
        long = chat.say("长" * 10_000)
        still("ten thousand characters")
        assert len(long) < 2_000


NAMES = sorted(set(menu.DIALOGUES) - ELSEWHERE)


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_every_question_survives_the_bad_cases(name: str, database: Database, receiver: Receiver) -> None:
    chat = ready(database, receiver, name)
    before = chat.count
    WAYS[name].begin(chat)
    assert chat.count > before
    seen: list[str] = []
    while len(seen) < FAR:
        ask = chat.waiting(name)
        if ask is None or ask.key in seen:
            break
        seen.append(ask.key)
        the_bad_cases(chat, name)
        if not answer(chat, name):
            break
    assert seen, f"{name} asked nothing: {chat.said.text}"
    with database.read() as session:
        assert session.exec(select(InboxMessage).where(InboxMessage.state == "aside")).all() == []
        assert session.exec(select(Alert)).all(), "danger words are kept"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_a_repeated_message_gets_the_identical_reply_and_has_no_second_effect(
    name: str, database: Database, receiver: Receiver
) -> None:
    chat = ready(database, receiver, name)
    WAYS[name].begin(chat)
    for _question in range(FAR):
        if chat.waiting(name) is None:
            break
        more = answer(chat, name)
        said, state = chat.said, chat.state()
        for _time in range(2):
            assert chat.again() == said
        assert chat.state() == state
        if not more:
            break


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_cancel_and_back_work_at_every_question(name: str, database: Database, receiver: Receiver) -> None:
    chat = ready(database, receiver, name)
    for depth in range(FAR):
        WAYS[name].begin(chat)
        asked_before: list[str] = []
        for _step in range(depth):
            ask = chat.waiting(name)
            if ask is None:
                break
            asked_before.append(ask.key)
            if not answer(chat, name):
                break
        ask = chat.waiting(name)
        if ask is None or ask.key in asked_before:
            return
        said = chat.say("返回")
        if asked_before:
            back = chat.waiting(name)
            assert back is not None
            assert back.key in asked_before, (name, back.key)
        assert said
        assert "已经取消" in chat.say("取消")
        assert not any(run.dialogue == name for run in chat.state().runs)
        assert chat.say("取消")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_ten_thousand_characters_are_answered_at_every_question(
    name: str, database: Database, receiver: Receiver
) -> None:
    chat = ready(database, receiver, name)
    WAYS[name].begin(chat)
    for _question in range(FAR):
        if chat.waiting(name) is None:
            return
        assert len(chat.say("字" * 10_000)) < 6_000
        with database.read() as session:
            assert session.exec(select(InboxMessage).where(InboxMessage.state == "aside")).all() == []
        if chat.waiting(name) is None or not answer(chat, name):
            return


def test_every_dialogue_is_reached_by_this_file_or_named_as_tested_elsewhere() -> None:
    assert set(WAYS) | ELSEWHERE >= set(menu.DIALOGUES)

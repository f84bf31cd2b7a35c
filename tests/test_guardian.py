"""The guardian's talk and the specialist's record, where the transcripts do not reach; see also test_volunteer.py."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from handlers.guardian import GUARDIAN, NOTICES
from handlers.guardian_record import GUARDIAN_RECORD
from handlers.invitation import called_gently
from handlers.message import Reply
from models import guardian, volunteer
from models.code import OneTimeCode
from models.consent import standing
from models.conversation import lock
from models.database import Database, now_of
from models.guardianship import Guardianship
from models.outbox import OutboxMessage
from models.person import Person
from models.role import RoleGrant
from tests.chatting import Chat
from tests.conftest import StoppedClock

PLATFORMS = pytest.mark.parametrize("platform", ["wechat", "telegram"])


def child(database: Database, sender: str = "child", platform: str = "wechat", **told: str) -> tuple[Chat, str]:
    """A minor who just registered, and the code to forward."""
    chat = Chat(database, sender, platform)
    said = chat.register(**{"name": "李小雨", "born": "2014-05-01", "phone": "13800138001", **told})
    return chat, said.partition("监护 ")[2][:8]


def agree(database: Database, code: str, sender: str = "mother") -> Chat:
    """A guardian who agrees on WeChat."""
    chat = Chat(database, sender)
    chat.say(f"监护 {code}")
    chat.press("同意")
    chat.say("李秀英", "母亲", "13900139000")
    chat.press("确认同意")
    return chat


def told(database: Database, chat: Chat) -> list[Reply | None]:
    """What waits in the outbox for a person, in words."""
    with database.read() as session:
        person = chat.person()
        rows = session.exec(select(OutboxMessage).where(OutboxMessage.person_id == person.id)).all()
        vault = database.vault
        return [
            NOTICES[row.kind](
                session, person, vault.open_json("outbox.params_sealed", row.id, row.params_sealed or b"")
            )
            for row in rows
        ]


def grant(database: Database, chat: Chat, role: str, scope: str) -> None:
    with database.write() as session:
        session.add(
            RoleGrant(
                person_id=chat.person().id,
                role=role,
                scope_kind="region",
                scope=scope,
                granted_by="machine",
                granted_at=now_of(session),
            )
        )


def row_of(chat: Chat) -> volunteer.Volunteer:
    found = chat.volunteer()
    assert found is not None
    return found


def test_the_guardians_yes_makes_the_minor_active_and_is_kept_under_the_guardian(database: Database) -> None:
    minor, code = child(database)
    by = agree(database, code)
    assert "同意已经登记" in by.said.text
    assert row_of(minor).status == "active"
    with database.read() as session:
        consents = {given.kind: given for given in standing(session, minor.person().id)}
    assert (consents["guardian"].giver, consents["guardian"].given_by) == ("guardian", by.person().id)
    (news,) = told(database, minor)
    assert news is not None
    assert row_of(minor).number in news.text


def test_the_guardians_name_and_number_stand_nowhere_in_clear(database: Database) -> None:
    _minor, code = child(database)
    agree(database, code)
    with database.read() as session:
        for table in (
            "guardianship",
            "conversation",
            "prompt",
            "audit",
            "outbox",
            "page",
            "one_time_code",
            "blind_index",
        ):
            stored = str([tuple(row) for row in session.execute(text(f"SELECT * FROM {table}"))])
            for secret in ("李秀英", "13900139000", "李小雨", str("李秀英".encode())[2:-1]):
                assert secret not in stored, table
        held = session.exec(select(Guardianship)).one()
        assert database.vault.open("guardianship.phone_sealed", held.id, held.phone_sealed or b"") == "+8613900139000"


def test_on_telegram_the_guardians_name_and_number_cannot_be_asked_in_the_chat(database: Database) -> None:
    _minor, code = child(database)
    chat = Chat(database, "mother", "telegram")
    chat.act("follow", scene=f"g_{code}")
    chat.press("同意")
    assert "一次性网页" in chat.said.links[0].label
    assert chat.said.options == ()


def test_agreeing_reaches_nothing_before_the_last_question(database: Database) -> None:
    minor, code = child(database)
    chat = Chat(database, "mother")
    chat.say(f"监护 {code}")
    chat.press("同意")
    chat.say("李秀英", "母亲", "13900139000")
    chat.press("先不同意")
    assert row_of(minor).status == "waiting_guardian"
    assert told(database, minor) == []
    assert "同意已经登记" in agree(database, code).said.text


def test_a_registered_minor_cannot_be_a_guardian(database: Database) -> None:
    minor, code = child(database)
    friend, _code = child(database, "friend", phone="13800138009")
    friend.say(f"监护 {code}")
    friend.press("同意")
    friend.say("李秀英", "母亲", "13900139000")
    assert "年满 18 岁" in friend.press("确认同意")
    assert row_of(minor).status == "waiting_guardian"
    assert "同意已经登记" in agree(database, code).said.text


def test_a_code_that_expires_between_the_questions_changes_nothing(database: Database, clock: StoppedClock) -> None:
    minor, code = child(database)
    chat = Chat(database, "mother")
    chat.say(f"监护 {code}")
    chat.press("同意")
    chat.say("李秀英", "母亲", "13900139000")
    clock.pass_time(timedelta(days=8))
    with database.write() as session:
        # The talk itself would have gone idle later than that.
        state = lock(session, chat.person().id)
        assert state.runs
    assert "过期" in chat.press("确认同意")
    assert row_of(minor).status == "waiting_guardian"


def test_a_button_pressed_twice_is_answered_once(database: Database) -> None:
    _minor, code = child(database)
    chat = Chat(database, "mother")
    chat.say(f"监护 {code}")
    first = chat.said.options[0].id
    chat.act("choice", choice=first)
    assert "已经回答过了" in chat.act("choice", choice=first)


def test_somebody_elses_button_is_no_consent(database: Database) -> None:
    minor, code = child(database)
    by, other = Chat(database, "mother"), Chat(database, "other")
    by.say(f"监护 {code}")
    assert "已经回答过了" in other.act("choice", choice=by.said.options[0].id)
    assert row_of(minor).status == "waiting_guardian"


def test_two_guardians_at_once_make_one_consent(database: Database) -> None:
    minor, code = child(database)
    chats = [Chat(database, "mother"), Chat(database, "father")]
    for number, chat in enumerate(chats):
        chat.say(f"监护 {code}")
        chat.press("同意")
        chat.say("李秀英", "母亲", f"1390013900{number}")
    chats[0].press("确认同意")
    assert "用过" in chats[1].press("确认同意")
    with database.read() as session:
        assert len(session.exec(select(Guardianship)).all()) == 1
    assert row_of(minor).status == "active"


def test_taking_back_pauses_at_once_and_another_child_is_left_alone(database: Database) -> None:
    minor, code = child(database)
    sister, sisters_code = child(database, "sister", name="李小雪", phone="13800138002")
    by = agree(database, code)
    agree(database, sisters_code)
    by.say("监护人")
    assert by.labels() == ["撤回对小雨同学的同意", "撤回对小雪同学的同意", "输入新的码"]
    by.press("撤回对小雨同学的同意")
    by.press("确定撤回")
    assert (row_of(minor).status, row_of(sister).status) == ("paused_guardian", "active")


def test_changing_ones_mind_about_taking_back_changes_nothing(database: Database) -> None:
    minor, code = child(database)
    by = agree(database, code)
    by.say("监护人")
    by.press("撤回对小雨同学的同意")
    by.press("不撤回")
    assert row_of(minor).status == "active"


def test_news_that_is_no_longer_true_is_not_said(database: Database) -> None:
    minor, code = child(database)
    by = agree(database, code)
    by.say("监护人")
    by.press("撤回对小雨同学的同意")
    by.press("确定撤回")
    agreed, withdrew = told(database, minor)
    assert agreed is None
    assert withdrew is not None
    assert "先暂停" in withdrew.text


def test_what_waited_too_long_is_erased_and_the_minor_may_register_again(
    database: Database, clock: StoppedClock
) -> None:
    minor, _code = child(database)
    clock.pass_time(timedelta(days=31))
    with database.write() as session:
        assert guardian.drop_pending(session) == 1
    (news,) = told(database, minor)
    assert news is not None
    assert "已经删除" in news.text
    assert minor.volunteer() is None
    assert "资料已收到" in minor.register_by_talk(name="李小雨", born="2014-05-01", phone="13800138001")


def test_coming_of_age_is_told(database: Database, clock: StoppedClock) -> None:
    minor, _code = child(database, born="2008-11-25")
    clock.pass_time(timedelta(days=3))
    with database.write() as session:
        assert guardian.come_of_age(session) == 1
    (news,) = told(database, minor)
    assert news is not None
    assert "不需要监护人" in news.text


@pytest.mark.parametrize(
    ("role", "scope", "says"), [("organiser", "44", "是这位吗"), ("specialist", "43", "没有这个编号")]
)
@PLATFORMS
def test_the_record_on_paper_keeps_to_the_scope(
    database: Database, role: str, scope: str, says: str, platform: str
) -> None:
    minor, _code = child(database)
    staff = Chat(database, "staff", platform)
    staff.say("你好")
    grant(database, staff, role, scope)
    staff.act("menu", menu="guardian_record")
    assert says in staff.say(row_of(minor).number)


def test_a_role_that_ends_between_the_questions_records_nothing(database: Database) -> None:
    minor, _code = child(database)
    staff = Chat(database, "staff")
    staff.say("你好")
    grant(database, staff, "specialist", "440106")
    staff.act("menu", menu="guardian_record")
    staff.say(row_of(minor).number)
    staff.press("是这位")
    staff.say("李秀英", "母亲", "13900139000")
    with database.write() as session:
        held = session.exec(select(RoleGrant)).one()
        held.ended_at = now_of(session)
        session.add(held)
    assert "不在你负责的地区" in staff.press("已见到书面同意书原件")
    assert row_of(minor).status == "waiting_guardian"


def test_an_unseen_paper_is_no_consent(database: Database) -> None:
    minor, _code = child(database)
    staff = Chat(database, "staff")
    staff.say("你好")
    grant(database, staff, "specialist", "440106")
    staff.act("menu", menu="guardian_record")
    staff.say(row_of(minor).number)
    staff.press("是这位")
    staff.say("李秀英", "母亲", "13900139000")
    assert "没有做任何改动" in staff.press("还没有见到")
    assert row_of(minor).status == "waiting_guardian"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("李小雨", "小雨同学"),
        ("王明", "明同学"),
        ("欧阳娜娜", "娜娜同学"),
        ("阿依古丽·买买提", "阿依古丽"),
        ("Lee Ka Yan", "L. K. Y."),
        ("émile Dupont", "É. D."),
    ],
)
def test_a_guardian_reads_a_form_of_address_and_no_full_name(database: Database, name: str, label: str) -> None:
    minor, _code = child(database, name=name)
    with database.write() as session:
        person = session.get_one(Person, minor.person().id)
        row = volunteer.volunteer_of(session, person.id)
        assert row is not None
        assert called_gently(session, person, row) == label


def test_wrong_codes_are_counted_although_the_talk_rolls_back(database: Database) -> None:
    _minor, code = child(database)
    chat = Chat(database, "stranger")
    for letter in "ABCDE":
        assert "没有这个监护码" in chat.say(f"监护 2222222{letter}")
    assert "试错次数太多" in chat.say(f"监护 {code}")
    with database.read() as session:
        assert session.exec(select(OneTimeCode)).one().used_at is None


def test_the_facts_of_an_older_version_are_still_understood(database: Database) -> None:
    for dialogue in (GUARDIAN, GUARDIAN_RECORD):
        assert dialogue.facts.model_validate({}) == dialogue.facts()


def test_a_guardian_needs_no_registration(database: Database) -> None:
    _minor, code = child(database)
    assert agree(database, code).volunteer() is None


def test_the_consent_is_kept_in_the_language_in_which_the_guardian_agreed(database: Database) -> None:
    minor, code = child(database)
    chat = Chat(database, "mother")
    chat.say(f"监护 {code}")
    chat.press("同意")
    chat.say("李秀英", "母亲", "13900139000", "English")
    chat.press(chat.labels()[0])
    with database.read() as session:
        (given,) = (row for row in standing(session, minor.person().id) if row.kind == "guardian")
    assert given.language == "zh_CN"


def test_a_guardian_may_change_the_language_before_agreeing_in_words(database: Database) -> None:
    _minor, code = child(database)
    chat = Chat(database, "mother")
    chat.say(f"监护 {code}", "English")
    chat.say(f"guardian {code}")
    chat.say("agree")
    chat.say("Li Xiuying", "mother", "13900139000")
    chat.press(chat.labels()[0])
    with database.read() as session:
        (given,) = (row for row in standing(session, _minor.person().id) if row.kind == "guardian")
    assert given.language == "en"


def test_the_childs_number_is_refused_at_the_question(database: Database) -> None:
    _minor, code = child(database)
    chat = Chat(database, "mother")
    chat.say(f"监护 {code}")
    chat.press("同意")
    chat.say("李秀英", "母亲")
    assert "不能和孩子的一样" in chat.say("138 0013 8001")
    assert "最后确认" in chat.say("13900139000")
    with database.read() as session:
        state = lock(session, chat.person().id)
        assert state.current is not None
        assert "13800138001" not in str(state.current.facts), "the child's number is in no facts"


def test_whoever_agreed_before_is_shown_the_wards_and_may_type_another_code(database: Database) -> None:
    _first, code = child(database)
    _second, another = child(database, "second", name="李小雪", phone="13800138002")
    by = agree(database, code)
    assert "您已经同意小雨同学参加" in by.say("监护人")
    assert by.labels() == ["撤回对小雨同学的同意", "输入新的码"]
    assert "请写孩子转发给您的监护码" in by.press("输入新的码")
    assert "没有这个监护码" in by.say("AAAA2222")
    assert "请写孩子转发给您的监护码" in by.said.text, "the same question again, not the list"
    assert "小雪同学想当助残志愿者" in by.say(another)

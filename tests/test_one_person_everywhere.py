"""What the other doors, the menus and the talks of a person learn when accounts are joined, parted or deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from bot.commands.duty import _who
from models.account import bind_code
from models.contact import may_deal
from models.conversation import Prompt
from models.database import Database
from models.handover import _counties
from models.outbox import OutboxMessage
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import deliver
from tests.people import follow, get_code, grant, unfollow
from tests.test_guardian import agree, child
from tests.test_privacy import delete
from tests.test_recognition import search


def english(chat: Chat) -> None:
    chat.say("English")
    assert (chat.said.menu, chat.said.language) == ("volunteer", "en")


def yes(chat: Chat) -> str:
    """The first button: the account of the code is one's own."""
    return chat.act("choice", choice=chat.said.options[0].id)


# The account's menu


def test_binding_brings_the_menu_of_the_language_that_now_applies(database: Database) -> None:
    old, new = Chat(database, "alin"), Chat(database, "1001", "telegram")
    old.register()
    code = get_code(old)
    english(old)
    new.say(f"绑定 {code}")
    yes(new)
    assert (new.said.menu, new.said.language) == ("volunteer", "en")
    (told,) = deliver(database)
    assert told.reply is not None
    assert (told.reply.menu, told.reply.language) == ("volunteer", "en")


def test_unbinding_brings_the_menu_and_the_words_of_the_language_from_before(database: Database) -> None:
    old, new = Chat(database, "alin"), Chat(database, "1001", "telegram")
    old.register()
    code = get_code(old)
    english(old)
    new.say(f"绑定 {code}")
    yes(new)
    deliver(database)
    new.act("menu", menu="unbind")
    here = next(option.id for option in new.said.options if "this one" in option.label or "here" in option.label)
    new.act("choice", choice=here)
    assert "已经分开" in yes(new)
    assert (new.said.menu, new.said.language) == ("volunteer", "zh_CN")
    (told,) = deliver(database)
    assert told.reply is not None
    assert (told.sender, told.reply.menu, told.reply.language) == ("alin", "volunteer", "en")


def test_a_code_that_recognises_brings_the_menu_too(database: Database) -> None:
    old, new = Chat(database, "alin"), Chat(database, "new")
    old.register()
    english(old)
    search(new)
    (sent,) = deliver(database)
    new.say(
        next(
            word for word in sent.text.replace(":", " ").replace("(", " ").split() if word.isupper() and len(word) == 8
        )
    )
    assert (new.said.menu, new.said.language) == ("volunteer", "en")


def test_a_specialists_word_brings_the_menu_too(database: Database) -> None:
    specialist, alin = Chat(database, "specialist"), Chat(database, "alin")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    alin.register()
    english(alin)
    unfollow(database, alin)
    search(alin)
    deliver(database, specialist)
    specialist.press("是本人")
    specialist.press("确认是本人")
    (told,) = deliver(database)
    assert told.reply is not None
    assert (told.kind, told.reply.menu, told.reply.language) == ("notice.recognised", "volunteer", "en")


# Talks that lead nowhere any more


def test_a_talk_of_binding_does_not_go_on_at_the_other_door(database: Database) -> None:
    old, new = Chat(database, "alin"), Chat(database, "1001", "telegram")
    old.register()
    code = get_code(old)
    old.say("绑定")
    old.say("称呼")
    new.say(f"绑定 {code}")
    yes(new)
    assert old.person().id == new.person().id
    said = old.say("林哥")
    assert "林哥" in said, "the talk that has nothing to do with it goes on"
    assert "我们接着刚才的" not in said


def test_a_search_does_not_go_on_where_binding_has_found_the_registration(database: Database) -> None:
    old, new = Chat(database, "1001", "telegram"), Chat(database, "alin")
    new.say("我以前注册过")
    old.register()
    grant(database, new, "specialist", "440106")
    code = get_code(old)
    new.say(f"绑定 {code}")
    said = yes(new)
    assert "绑好了" in said
    assert "手机号" not in said
    assert "我们接着刚才的" not in said


@pytest.mark.parametrize(("minutes", "left"), [(5, 1), (40, 0)])
def test_a_number_means_no_cry_for_help_from_before(
    database: Database, clock: StoppedClock, minutes: int, left: int
) -> None:
    here, other = Chat(database, "alin"), Chat(database, "1001", "telegram")
    other.register()
    follow(here)
    other.act("menu", menu="sos")
    assert other.labels() == ["写下发生了什么"]
    clock.pass_time(timedelta(minutes=minutes))
    with database.write() as session:
        code = bind_code(session, other.person(), "")  # without a word at the other door
    here.say(f"绑定 {code}")
    yes(here)
    with database.read() as session:
        asked = session.exec(select(Prompt).where(Prompt.person_id == other.person().id)).all()
    assert len(asked) == left, "of a fresh one the button still counts"
    assert "请写下发生了什么" not in here.say("1")


# Deletion


def test_the_other_doors_hear_once_that_the_data_was_deleted(database: Database) -> None:
    alin, other = Chat(database, "alin"), Chat(database, "1001", "telegram")
    alin.register()
    grant(database, alin, "organiser", "44")
    keeper = Chat(database, "keeper")
    follow(keeper)
    grant(database, keeper, "organiser", "44")
    other.say(f"绑定 {get_code(alin)}")
    yes(other)
    deliver(database)
    assert "已经删除" in delete(alin)
    assert alin.said.menu == "volunteer", "no role is left"
    (told,) = deliver(database)
    assert (told.sender, told.kind) == ("1001", "notice.deleted")
    assert "一起删除了" in told.text
    assert told.reply is not None
    assert told.reply.menu == "volunteer"
    assert deliver(database) == []


def test_who_has_one_door_hears_of_the_deletion_in_its_answer_only(database: Database) -> None:
    alin = Chat(database, "alin")
    alin.register()
    delete(alin)
    assert deliver(database) == []


# A guardian's cry for help


def test_a_guardians_cry_goes_to_the_minors_county_and_names_the_minors_number(database: Database) -> None:
    specialist, far, organiser = (Chat(database, name) for name in ("specialist", "far", "organiser"))
    for chat, role, scope in (
        (specialist, "specialist", "440106"),
        (far, "specialist", "440305"),
        (organiser, "organiser", "44"),
    ):
        follow(chat)
        grant(database, chat, role, scope)
    minor, code = child(database)
    registered = minor.volunteer()
    assert registered is not None
    assert registered.county == "440106"
    mother = agree(database, code)
    deliver(database)
    mother.say("救命")
    (told,) = deliver(database)
    assert (told.sender, told.kind) == ("specialist", "notice.alert")
    assert f"志愿者 {registered.number} 的监护人" in told.text
    assert "天河" in told.text
    who = mother.person().id
    with database.read() as session:
        assert may_deal(session, who, specialist.person().id)
        assert not may_deal(session, who, far.person().id)
        assert _counties(session, {who}) == {who: "440106"}, "so that it is handed over to the same people"
        assert _who(session, who) == (f"{registered.number} 的监护人", "440106")


def test_what_a_guardian_writes_waits_for_the_minors_specialist(database: Database) -> None:
    specialist = Chat(database, "specialist")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    _minor, code = child(database)
    mother = agree(database, code)
    deliver(database)
    mother.say("联系专员", "孩子想换个时间")
    (told,) = deliver(database)
    assert (told.sender, told.kind) == ("specialist", "notice.contact")
    assert "孩子想换个时间" in specialist.say("留言")


def test_who_took_the_consent_back_is_no_guardian_any_more(database: Database) -> None:
    specialist = Chat(database, "specialist")
    follow(specialist)
    grant(database, specialist, "specialist", "440106")
    _minor, code = child(database)
    mother = agree(database, code)
    deliver(database)
    mother.say("监护人")
    mother.act("choice", choice=mother.said.options[0].id)
    mother.press("确定撤回")
    deliver(database)
    mother.say("救命")
    with database.read() as session:
        waits = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.alert")).all()
    assert waits == []

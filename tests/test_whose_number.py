"""A question waits and a message with options comes below it: whose a number or a word is that is typed then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import select

from handlers import late
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from models.calls_undone import UNDO_FOR, forget_told
from models.conversation import Notice, State
from models.database import Database
from models.erasure import delete_person
from models.outbox import EMERGENCY, OutboxMessage
from models.person import Person, doors
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import deliver
from tests.people import alin as alin
from tests.people import bind
from tests.people import specialist as specialist
from tests.talking import Facts, anything, begin, branching, dialogue, number, option
from tests.talking import chat as chat
from tests.talking import register as register
from tests.talking import source_language as source_language
from tests.test_calls import held, noted, states
from tests.test_dialogue_late import ask_late, offer

READ = timedelta(seconds=11)
Deploy = Callable[..., Dialogue]


def amount(facts: Facts) -> Talk:
    days = yield Ask("days", "几天？", check=number, numeric=True)
    name = yield Ask("name", "名字？", check=anything)
    return (days, name)


def two(facts: Facts) -> Talk:
    yield Ask("sure", "对吗？", choices=(Choice("yes", "对"), Choice("no", "不对"), Choice("wait", "再看看")))
    return "done"


@pytest.fixture
def deployed(register: Deploy) -> None:
    register(dialogue(offer, "ride"))


def test_a_number_belongs_to_the_message_that_came_below_the_question(
    chat: Chat, register: Deploy, deployed: None, clock: StoppedClock
) -> None:
    register(dialogue(branching))
    begin(chat)
    ask_late(chat)
    clock.pass_time(READ)
    said = chat.say("1")
    assert said.startswith("完成 ('小宇', 'yes', '')"), "the message's"
    assert "我们接着刚才的" in said
    assert "学校" in chat.say("1"), "its question has been asked again since"


def test_typed_at_the_moment_when_the_message_came_it_is_asked_whose_it_is(
    chat: Chat, register: Deploy, deployed: None
) -> None:
    register(dialogue(branching))
    for meant, comes in (("1", "学校"), ("2", "完成 ('小宇', 'yes', '')")):
        begin(chat)
        ask_late(chat)
        assert "“1”是回答哪一个" in chat.say("1")
        assert chat.labels() == ["前面的问题：学生", "新消息：能去"]
        assert comes in chat.say(meant)
        chat.say("取消")


def test_asked_whose_it_is_the_words_of_the_question_still_answer_it(
    chat: Chat, register: Deploy, deployed: None
) -> None:
    register(dialogue(branching))
    begin(chat)
    ask_late(chat)
    chat.say("1")
    assert "单位" in chat.say("上班")


def test_a_number_that_only_the_question_offers_is_its_own(
    chat: Chat, register: Deploy, deployed: None, clock: StoppedClock
) -> None:
    register(dialogue(two))
    begin(chat)
    ask_late(chat)
    clock.pass_time(READ)
    assert chat.say("3") == "完成 done"


def test_typed_for_a_list_at_the_moment_when_a_message_came_it_is_asked_too(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    second = Chat(database, "second")
    second.register(phone="13900139000")
    held(database, alin, "one")
    held(database, second, "two")
    alin.say("救命")
    specialist.say("要打电话的人")
    listed = specialist.labels()
    deliver(database, specialist)
    assert specialist.labels() == ["收到，我来处理"]
    assert "是回答哪一个" in specialist.say("1")
    assert specialist.labels() == [f"前面的问题：{listed[0]}", "新消息：收到，我来处理"]
    assert "条消息没有送到" in specialist.say("1")
    assert noted(database, "alert.taken") == []


def test_where_a_number_is_itself_an_answer_it_is_always_asked(
    chat: Chat, register: Deploy, deployed: None, clock: StoppedClock
) -> None:
    register(dialogue(amount))
    begin(chat)
    ask_late(chat)
    clock.pass_time(READ)
    chat.say("1")
    assert chat.labels() == ["前面的问题：就写“1”", "新消息：能去"]
    assert "名字" in chat.say("1")
    ask_late(chat)
    clock.pass_time(READ)
    chat.say("2")
    assert "为什么" in chat.press("新消息：去不了")
    chat.say("考试")
    assert chat.say("2") == "完成 (1, '2')", "the question has been asked again since"


def test_what_was_shown_at_another_door_has_no_numbers_here(
    chat: Chat, register: Deploy, deployed: None, clock: StoppedClock
) -> None:
    register(dialogue(branching))
    begin(chat)
    ask_late(chat, "another door")
    clock.pass_time(READ)
    assert "学校" in chat.say("1")


def test_a_message_at_another_door_takes_no_numbers_from_a_list_here(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    abroad = Chat(database, "77", "telegram")
    abroad.act("follow")
    bind(specialist, abroad)
    held(database, alin)
    specialist.say("要打电话的人")
    with database.write() as session:
        door = next(each for each in doors(session, specialist.person().id) if each.platform == "telegram")
        options = late.asked(session, specialist.person().id, "messages", "pick", Facts(), [("x", "回复")])
        late.saw(session, specialist.person().id, options, door.id)
    assert "1 条消息没有送到" in specialist.say("1")


def test_after_the_menu_in_words_it_is_asked(chat: Chat, register: Deploy, deployed: None, clock: StoppedClock) -> None:
    register(dialogue(branching))
    begin(chat)
    ask_late(chat)
    clock.pass_time(READ)
    assert "直接回答就行" in chat.say("菜单")
    assert "是回答哪一个" in chat.say("1")


def test_a_message_that_was_answered_has_no_numbers(
    chat: Chat, register: Deploy, deployed: None, clock: StoppedClock
) -> None:
    register(dialogue(branching))
    begin(chat)
    options = ask_late(chat)
    with chat.database.write() as session:
        assert late.answered(session, chat.person().id, options[0].id.partition(":")[0], "0")
    clock.pass_time(READ)
    assert "学校" in chat.say("1")


def test_a_button_that_says_it_was_meant_as_words_cannot_be_forged(chat: Chat, register: Deploy) -> None:
    register(dialogue(branching))
    begin(chat)
    prompt = option(chat, "学生").partition(":")[0]
    for forged in ("t", "tt", "t1234", "t-1"):
        assert "已经回答过了" in chat.act("choice", choice=f"{prompt}:{forged}")
    assert "请选择下面的一项" in chat.act("choice", choice=f"{prompt}:t1"), "as if it were typed, and no choice"


def test_what_a_question_refuses_opens_the_message_whose_button_says_so(
    chat: Chat, register: Deploy, deployed: None, clock: StoppedClock
) -> None:
    register(dialogue(branching))
    options = ask_late(chat)
    begin(chat)
    assert chat.say("能去").startswith("完成 ('小宇', 'yes', '')"), "also where it came before the question"
    assert "请选择下面的一项" in chat.say("能去"), "it has been answered"
    assert "已经回答过了" in chat.act("choice", choice=options[0].id)
    clock.pass_time(READ)
    assert "学校" in chat.say("学生")
    ask_late(chat)
    assert "电话" in chat.say("能去"), "what a question takes is its answer"


def test_the_words_of_the_notice_answer_while_another_question_waits(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    second = Chat(database, "second")
    second.register(phone="13900139000")
    held(database, second)
    specialist.say("要打电话的人", "1")
    specialist.press("打过了")
    alin.say("联系专员", "第七问")
    deliver(database, specialist)
    assert "请写回复" in specialist.say("回复")
    said = specialist.say("第七答")
    assert "正在转给对方" in said
    assert "打通了吗" in said, "and the question is asked again"
    (answer,) = [one for one in deliver(database, alin) if one.kind == "notice.contact_answer"]
    assert "第七答" in answer.text


def test_the_buttons_word_typed_again_opens_nobody_elses_message(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    second = Chat(database, "second")
    second.register(phone="13900139000")
    second.say("联系专员", "另一个人问的")
    deliver(database, specialist)
    first = specialist.said
    alin.say("联系专员", "阿林问的")
    deliver(database, specialist)
    assert specialist.said != first
    specialist.act("choice", choice=first.options[0].id)
    assert "请直接写要对对方说的话" in specialist.say("回复")
    specialist.say("好")
    assert [one.sender for one in deliver(database) if one.kind == "notice.contact_answer"] == ["second"]


def test_a_number_under_a_new_notice_writes_down_no_call(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    second = Chat(database, "second")
    second.register(phone="13900139000")
    held(database, second, priority=EMERGENCY)
    specialist.say("要打电话的人", "1")
    specialist.press("打过了")
    alin.say("联系专员", "在吗")
    deliver(database, specialist)
    clock.pass_time(READ)
    assert "请写回复" in specialist.say("1")
    assert states(database)["one"] == "held"
    assert noted(database, "call.told") == []


def told(database: Database, alin: Chat, specialist: Chat) -> None:
    held(database, alin)
    specialist.say("要打电话的人", "1")
    specialist.press("打过了")
    assert "1 条消息不再发" in specialist.press("打通了，都说到了")


def test_a_call_that_was_written_down_by_mistake_is_undone_and_the_message_goes(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    told(database, alin, specialist)
    assert "1 条消息又等着发" in specialist.press("按错了，还没说到")
    assert states(database)["one"] == "waiting"
    assert [(one.sender, one.text) for one in deliver(database)] == [("alin", "x")]
    assert len(noted(database, "call.untold")) == 1


def test_an_hour_later_nothing_is_left_to_undo(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    told(database, alin, specialist)
    with database.write() as session:
        assert forget_told(session) == 0
    clock.pass_time(UNDO_FOR + timedelta(seconds=1))
    with database.write() as session:
        assert forget_told(session) == 1
        row = session.exec(select(OutboxMessage).where(OutboxMessage.unique_key == "one")).one()
        assert (row.state, row.params_sealed) == ("withdrawn", None)
    assert "改不回来了" in specialist.press("按错了，还没说到")
    assert states(database)["one"] == "withdrawn"


def test_only_that_call_is_undone(alin: Chat, specialist: Chat, database: Database, clock: StoppedClock) -> None:
    told(database, alin, specialist)
    first = specialist.said
    clock.pass_time(timedelta(minutes=5))
    held(database, alin, "two")
    specialist.say("要打电话的人", "1")
    specialist.press("打过了")
    specialist.press("打通了，都说到了")
    assert "1 条消息又等着发" in specialist.act("choice", choice=first.options[0].id)
    assert states(database) | {"one": "waiting", "two": "withdrawn"} == states(database)


def test_who_deletes_their_data_leaves_nothing_to_undo(alin: Chat, specialist: Chat, database: Database) -> None:
    told(database, alin, specialist)
    with database.write() as session:
        delete_person(session, session.get_one(Person, alin.person().id))
        row = session.exec(select(OutboxMessage).where(OutboxMessage.unique_key == "one")).one()
        assert row.params_sealed is None
    assert "不归你负责" in specialist.press("按错了，还没说到")


def test_a_state_of_an_earlier_version_has_no_notices() -> None:
    old = State(shown=[("a:0", "甲")]).as_json()
    del old["notices"], old["which"]
    assert State.from_json(old) == State(shown=[("a:0", "甲")])
    new = State(notices=[Notice("d", "2026-11-22T00:00:00+00:00", [("a:0", "甲")], "perhaps")], which=True)
    assert State.from_json(new.as_json()) == new

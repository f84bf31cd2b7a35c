"""What volunteers write in their own words while something waits for their answer: none of it is lost, nothing is taken
for a yes that is none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models import institution_pairing, offering
from models.agreement import Terms
from models.database import Database
from models.offer import Offer
from models.stints import standing_of
from scheduler import jobs
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import deliver
from tests.pairing_world import World
from tests.pairings import hush, pair, somebody
from tests.people import alin as alin
from tests.people import specialist as specialist
from tests.test_handovers import begin
from tests.test_handovers import paired as paired
from tests.test_turns_chat import Played

DAY = timedelta(days=1)


@pytest.fixture
def world(database: Database, alin: Chat, specialist: Chat) -> World:
    """alin, a volunteer, and the specialist of the county."""
    return World(database)


def invited(world: World, chat: Chat, needs: str = "study") -> str:
    """An invitation on their screen."""
    offer = world.offer(world.beneficiary(needs=(needs,)), chat.person().id)
    deliver(world.database, chat)
    return offer


def state(world: World, offer: str) -> str:
    return world.one(Offer, offer).state


# --- 我的结对 tells how things stand ---


def test_a_lapsed_invitation_is_not_said_to_wait_in_time_and_may_still_be_answered(
    world: World, alin: Chat, clock: StoppedClock
) -> None:
    offer = invited(world, alin)
    assert "有 1 个邀请等你回答。" in alin.say("我的结对")
    clock.pass_time(30 * DAY)
    world.do(offering.pass_on, [offer])
    said = alin.say("我的结对")
    assert "有 1 个邀请已经过了回答的时间。晚了也可以答应，只要还没有人接上。" in said
    assert "等你回答" not in said
    assert "看邀请" in alin.labels()


def test_a_handover_under_way_shows_with_its_last_day_and_the_way_back(paired: Chat, database: Database) -> None:
    assert "正在交接" not in paired.say("我的结对")
    begin(database, paired)
    said = paired.say("我的结对")
    assert "正在交接，还没有人接，最后一天 2026-12-22" in said
    assert "交接取消了" in paired.press("我又能继续了")
    assert "正在交接" not in paired.say("我的结对")


# --- a no stands at once ---


def test_a_no_stands_whether_or_not_a_reason_follows(world: World, alin: Chat) -> None:
    offer = invited(world, alin)
    assert "已经记下" in alin.press("不方便")
    assert (state(world, offer), world.one(Offer, offer).reason) == ("declined", "other")
    alin.say("取消")
    assert state(world, offer) == "declined"


def test_a_reason_given_afterwards_joins_it(world: World, alin: Chat) -> None:
    offer = invited(world, alin)
    alin.press("不方便")
    assert "记下了" in alin.say("太远了")
    assert world.one(Offer, offer).reason == "far"


@pytest.mark.parametrize("shown", [False, True])
def test_the_reason_in_the_sentence_is_not_asked_for_again(world: World, alin: Chat, shown: bool) -> None:
    offer = invited(world, alin)
    if shown:
        alin.say("看邀请")
    said = alin.say("没时间")
    assert said.startswith("记下了，谢谢你")
    assert (state(world, offer), world.one(Offer, offer).reason) == ("declined", "busy")


def test_a_reason_that_is_somebody_elses_changes_nothing(world: World, alin: Chat) -> None:
    offer = invited(world, alin)
    assert world.do(offering.give_reason, offer, alin.person().id, "far") is False, "they have not said no"
    alin.say("没时间")
    assert world.do(offering.give_reason, offer, world.volunteer(), "far") is False
    assert world.one(Offer, offer).reason == "busy"


# --- a yes in one's own words ---

YES = ("接受", "愿意", "我愿意", "可以", "我可以", "行", "我们接", "係", "同意", "好的，我愿意")
NODS = ("好的", "好", "OK", "收到", "[OK]", "嗯嗯")


@pytest.mark.parametrize("words", YES)
def test_a_plain_yes_answers_the_one_invitation_also_when_something_came_in_between(
    world: World, alin: Chat, words: str
) -> None:
    offer = invited(world, alin)
    alin.say("菜单")
    said = alin.say(words)
    assert state(world, offer) == "accepted"
    assert "你接受的是：26 岁以上，需要支教助学" in said, "what was accepted"
    assert "按错了，撤回" in alin.labels()


@pytest.mark.parametrize("words", NODS)
def test_a_bare_nod_accepts_nothing_and_says_so(world: World, alin: Chat, words: str) -> None:
    offer = invited(world, alin)
    said = alin.say(words)
    assert said.startswith("收到。下面这件事还等你回答，只回“收到”“好的”不算答应：")
    assert "支教助学" in said and "愿意请回复“接受”" in said
    assert alin.labels() == ["接受", "不方便", "晚点问我"]
    assert state(world, offer) == "waiting"
    alin.say("接受")
    assert state(world, offer) == "accepted"


def test_a_nod_where_nothing_waits_is_only_a_nod(world: World, alin: Chat) -> None:
    assert alin.say("好的") == "好的。想做什么，回复“菜单”。"


@pytest.mark.parametrize("words", ["接受", "可以", "我们接"])
def test_of_two_invitations_it_is_asked_which_one(world: World, alin: Chat, words: str) -> None:
    first, second = invited(world, alin), invited(world, alin, "jobs")
    said = alin.say(words)
    assert "有 2 件事等你回答" in said
    assert {state(world, first), state(world, second)} == {"waiting"}
    label = next(one for one in alin.labels() if "支教助学" in one)
    assert label.startswith("接受：")
    assert "支教助学" in alin.press(label)
    assert (state(world, first), state(world, second)) == ("accepted", "waiting")


def test_a_no_to_one_of_two_is_asked_about_too(world: World, alin: Chat) -> None:
    first, second = invited(world, alin), invited(world, alin, "jobs")
    alin.say("不方便")
    assert {state(world, first), state(world, second)} == {"waiting"}
    assert all(label.startswith("不方便：") for label in alin.labels())
    alin.press(next(one for one in alin.labels() if "支教助学" in one))
    assert (state(world, first), state(world, second)) == ("declined", "waiting")


def test_what_nobody_has_seen_no_word_accepts(world: World, alin: Chat) -> None:
    offer = world.offer(world.beneficiary(), alin.person().id)
    said = alin.say("可以")
    assert "想邀请你和一位服务对象结对" in said
    assert state(world, offer) == "waiting"


def test_after_it_has_lapsed_only_a_sure_yes_counts(world: World, alin: Chat, clock: StoppedClock) -> None:
    offer = invited(world, alin)
    clock.pass_time(30 * DAY)
    world.do(offering.pass_on, [offer])
    assert "请你回答的时间已经过了" in alin.say("可以")
    assert state(world, offer) == "overdue"
    alin.say("接受")
    assert state(world, offer) == "accepted"


def test_a_yes_to_another_question_accepts_no_invitation(world: World, alin: Chat) -> None:
    offer = invited(world, alin)
    alin.say("联系专员", "可以")
    assert state(world, offer) == "waiting"


def test_after_a_cry_for_help_words_belong_to_it(world: World, alin: Chat) -> None:
    offer = invited(world, alin)
    alin.say("有人打我")
    alin.say("我们接")
    assert state(world, offer) == "waiting"


@pytest.mark.parametrize("words", ["家里有事", "最近家里有点事"])
def test_what_hinders_somebody_is_a_no_from_whoever_has_just_been_asked(world: World, alin: Chat, words: str) -> None:
    offer = invited(world, alin)
    alin.say(words)
    assert (state(world, offer), world.one(Offer, offer).reason) == ("declined", "busy")


def test_a_reason_in_own_words_joins_the_no(world: World, alin: Chat) -> None:
    offer = invited(world, alin)
    alin.press("不方便")
    assert "记下了" in alin.say("家里有事")
    assert world.one(Offer, offer).reason == "busy"


# --- an agreement, a turn, the question whether all is well ---


def written(world: World, chat: Chat, specialist: Chat) -> str:
    """They said yes, and the agreement is on their screen."""
    stint = world.agreeing(world.beneficiary(), chat.person().id)
    world.write(stint, specialist.person().id)
    deliver(world.database, chat)
    return stint


@pytest.mark.parametrize("words", ["接受", "同意", "可以"])
def test_an_open_agreement_is_shown_before_a_yes_accepts_it(
    world: World, alin: Chat, specialist: Chat, words: str
) -> None:
    stint = written(world, alin, specialist)
    said = alin.say(words)
    assert "行为守则：" in said, "it was not read yet"
    assert world.stint(stint).accepted_at is None
    assert "结对成立" in alin.say(words)


def test_the_button_of_an_answered_invitation_does_not_catch_it(world: World, alin: Chat, specialist: Chat) -> None:
    offer = invited(world, alin)
    alin.say("看邀请", "接受")
    with world.database.read() as session:
        stint = standing_of(session, alin.person().id)[0].id
    world.write(stint, specialist.person().id)
    deliver(world.database, alin)
    said = alin.say("接受")
    assert "已经回答过" not in said and "行为守则：" in said
    assert state(world, offer) == "accepted"


def test_of_an_institution_too(world: World, alin: Chat, specialist: Chat) -> None:
    team = world.team(alin.person().id)
    told = (world.institution(), team, Terms(("study",), 12, 12), specialist.person().id)
    stint = world.do(institution_pairing.agree, *told).id
    deliver(world.database, alin)
    assert "阳光家园的协议还没有接受" in alin.say("好的")
    assert "行为守则：" in alin.say("接受")
    alin.say("同意")
    assert world.stint(stint).state == "open"


def test_a_nod_to_an_agreement_accepts_nothing(world: World, alin: Chat, specialist: Chat) -> None:
    stint = written(world, alin, specialist)
    assert "只回“收到”“好的”不算答应" in alin.say("好")
    assert alin.labels() == ["看协议"]
    assert world.stint(stint).accepted_at is None


def test_whose_turn_it_is_says_so_in_own_words(database: Database) -> None:
    played = Played(database)
    played.plan("2 3")
    deliver(database, played.one)
    assert "能去请回复“能去”" in played.one.say("收到")
    assert "由你去看" in played.one.say("能去")


@pytest.fixture
def silent(paired: Chat, database: Database, clock: StoppedClock) -> Chat:
    """They were asked whether all is well, and something came in between."""
    clock.pass_time(60 * DAY)
    assert jobs.ask_silent_volunteers(database) == 1
    deliver(database, paired)
    paired.say("菜单")
    return paired


@pytest.mark.parametrize("words", ["还在", "还在的", "我还在", "都好", "可以"])
def test_all_is_well_in_own_words(silent: Chat, words: str) -> None:
    assert silent.say(words).startswith("太好了，谢谢你告诉我们")


def test_it_is_hard_in_own_words(silent: Chat) -> None:
    assert silent.say("有点难").startswith("谢谢你说出来")
    assert silent.labels() == ["有点难，想停一停", "做不下去了"]
    assert "请假到哪一天" in silent.say("有点难，想停一停")


def test_a_nod_is_no_answer_to_it(silent: Chat) -> None:
    assert "结对还在继续吗" in silent.say("好的")
    assert "一切都好" in silent.labels()


@pytest.mark.parametrize("words", ["有点难，想停一停", "想停一停"])
def test_of_several_pairings_the_wish_is_kept_while_it_is_asked_which(
    paired: Chat, database: Database, words: str
) -> None:
    with database.write() as session:
        pair(session, paired.person().id, somebody(session, 1))
        hush(session)
    for _time in range(2):
        assert "是哪一位？" in paired.say(words)
    paired.press("全部")
    assert "请假到哪一天" in paired.said.text


# --- a yes is taken back ---


@pytest.mark.parametrize("words", ["按错了，撤回", "撤回", "撤回接受", "按错了", "反悔", "我不想去了"])
def test_a_yes_is_taken_back_by_words_once_it_is_confirmed(world: World, alin: Chat, words: str) -> None:
    invited(world, alin)
    alin.say("接受", "菜单")
    said = alin.say(words)
    assert "要撤回刚才的接受吗？" in said and "支教助学" in said
    assert alin.labels() == ["按错了，撤回", "不撤回"]
    assert "已撤回" in alin.press("按错了，撤回")
    with world.database.read() as session:
        assert standing_of(session, alin.person().id) == []


@pytest.mark.parametrize("words", ["我的结对", "要毕业了", "我做不下去了"])
def test_the_way_to_take_it_back_is_offered(world: World, alin: Chat, words: str) -> None:
    invited(world, alin)
    alin.say("接受")
    alin.say(words)
    assert "要撤回刚才的接受吗？" in alin.press("撤回接受")
    assert "没有做任何改动" in alin.press("不撤回")
    with world.database.read() as session:
        assert len(standing_of(session, alin.person().id)) == 1


def test_afterwards_the_words_mean_what_they_meant(world: World, alin: Chat, clock: StoppedClock) -> None:
    invited(world, alin)
    alin.say("接受")
    clock.pass_time(2 * DAY)
    assert "已经过了可以撤回的时间" in alin.say("撤回"), "the button on the screen"
    assert "撤回同意" in alin.say("我的", "撤回")
    alin.say("我的结对")
    assert "撤回接受" not in alin.labels()

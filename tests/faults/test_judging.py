"""What judges the outbound faults finds what it is there for."""

from __future__ import annotations

from tests.faults.player import AGAIN
from tests.faults.player_crowd import RECORD, _with_record
from tests.faults.senders import Call, judge
from tests.faults.test_copies import LeaseNote, without_a_lease
from tests.faults.test_platform_answers import _early, _refreshes
from tests.faults.wire import Answer, Said


def call(at: float, words: str = "【a】", **more: object) -> Call:
    usual: dict[str, object] = {"n": 1, "copy": "one", "account": "w", "path": "message/custom/send", "to": "o"}
    given = {"taken": True, "how": "ok", "ended": at + 0.1, "text": words} | more
    return Call(at=at, **(usual | given))  # type: ignore[arg-type]


def test_a_second_time_is_a_double_unless_it_says_so() -> None:
    assert judge([call(1), call(2)], {"【a】": "sent"}).doubled == {"【a】"}
    marked = judge([call(1), call(2, AGAIN + "\n【a】")], {"【a】": "sent"})
    assert (marked.doubled, marked.again) == (set(), {"【a】"})
    often = [call(1), call(2, AGAIN + "\n【a】"), call(3, AGAIN + "\n【a】")]
    assert judge(often, {"【a】": "sent"}).doubled == {"【a】"}
    assert judge(often, {"【a】": "sent"}, until_certain={"【a】"}).doubled == set()


def test_sent_without_a_good_answer_is_false_and_sent_without_a_call_is_lost() -> None:
    unclear = call(1, fault="200 html", how="200 html")
    assert judge([unclear], {"【a】": "sent"}).false_sent == {"【a】"}
    assert judge([unclear], {"【a】": "uncertain"}).false_sent == set()
    assert judge([], {"【a】": "sent"}).lost == {"【a】"}
    assert judge([], {"【a】": "held"}).lost == set()


def test_a_call_in_a_pause_is_seen_of_the_chat_or_the_whole_account() -> None:
    told = call(1, fault="429", pause=10.0, path="sendMessage")
    assert [one.at for one in _early([told, call(5, path="sendMessage"), call(12, path="sendMessage")])] == [5]
    assert _early([told, call(5, path="sendMessage", to="another")]) == []
    whole = call(1, fault="429", pause=10.0)
    assert [one.at for one in _early([whole, call(1.3, to="under way"), call(5, to="another")])] == [5]


def test_refreshes_of_a_token_are_counted_by_incident() -> None:
    def refused(at: float) -> Call:
        return call(at, fault="40001", how="40001")

    def asked(at: float) -> Call:
        return call(at, path="token")

    first = [asked(0), refused(1), asked(2), refused(3), asked(4)]
    assert _refreshes(first) == 2
    assert _refreshes([*first, refused(400), asked(401)]) == 2
    assert _refreshes([*first, refused(5), asked(6)]) == 3


def test_a_call_without_a_lease_is_seen() -> None:
    notes = [LeaseNote(1, "w", "host-11-aa"), LeaseNote(5, "w", "host-22-bb"), LeaseNote(8, "w", "")]
    copies = {11: "a", 22: "b"}
    good = [call(2, copy="a"), call(4, copy="a"), call(6, copy="b")]
    bad = [call(0.5, copy="a"), call(2, copy="b"), call(6, copy="a"), call(9, copy="b"), call(2, copy="a", account="t")]
    assert without_a_lease([*good, *bad], notes, copies) == bad


def test_the_words_to_call_for_help_may_come_before_the_record_only_where_a_second_has_passed() -> None:
    cry = Said("wechat", "o", 1, 0, "我很担心TA，1")
    hours = Said("wechat", "o", 2, 0, "免打扰 21:00-08:00")
    whole, bare = Answer(f"110\n{RECORD}", took=0.2), Answer("110", took=1.02)
    assert _with_record(cry, [whole, bare]) == [whole]
    assert _with_record(cry, [whole, Answer("110", took=0.3)]) == [whole, Answer("110", took=0.3)], "too early for that"
    assert _with_record(hours, [bare, whole]) == [bare, whole], "every other answer is the same each time"

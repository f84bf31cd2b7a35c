"""The questions of 请假交接 once it is clear what it is, and whose pairing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import BaseModel

from config.texts import _
from handlers.days import day_within, with_weekday
from handlers.dialogue import Ask, Choice, Talk
from handlers.relay_ways import ask_notes
from models import relaying
from models.substituting import LONGEST_DAYS

HAND_OVER = "hand_over"  # the dialogue (handlers/relay.py)
OPEN_DAYS = 60  # 还没定: the last day is taken to be so far ahead
_REASONS = {"graduation": "graduation", "moved": "moved", "stopped": "stopped", "other": "stopped"}


class RelayFacts(BaseModel):
    """`stints` = whose turn it is to be decided about, `ids` = those on the screen to choose from; `pairings`, `begun`
    relays, `away` (leaves) and `notes` count what the person has. `what` was said before. `today` is the person's own
    day (ISO). `house` = it is about institutions alone, where nobody stands in."""

    today: str = "2000-01-01"
    what: str = ""
    house: bool = False
    ids: tuple[str, ...] = ()
    stints: tuple[str, ...] = ()
    pairings: int = 0
    begun: int = 0
    away: int = 0
    notes: int = 0


@dataclass(frozen=True, slots=True)
class Leave:
    """Away until this day."""

    stints: tuple[str, ...]
    until: date


@dataclass(frozen=True, slots=True)
class Go:
    """A relay begins."""

    stints: tuple[str, ...]
    why: str
    last_day: date
    note: str
    private: str


def _how_many(stints: tuple[str, ...], pairings: int) -> str:
    return _("{count} 位").format(count=len(stints)) if pairings > 1 else ""


def leave_talk(facts: RelayFacts, stints: tuple[str, ...], _what: str) -> Talk:
    """Until when, and a look at it."""
    today = date.fromisoformat(facts.today)
    weeks = {"week": (_("一周"), 7), "two": (_("两周"), 14), "month": (_("四周"), 28)}
    until = yield Ask(
        "until",
        _("请假到哪一天（含当天）？选一项，或者直接写，例如 {example}、“下周一”或“两周后”。").format(
            example=(today + timedelta(days=21)).isoformat()
        ),
        tuple(Choice(key, label) for key, (label, _days) in weeks.items()),
        check=day_within(today, LONGEST_DAYS),
    )
    day = until if isinstance(until, date) else today + timedelta(days=weeks[until][1])
    lines = [_("请核对："), _("请假到 {day}，含当天。").format(day=with_weekday(day))]
    if facts.pairings > 1:
        lines.append(_("结对：{value}").format(value=_how_many(stints, facts.pairings)))
    if facts.house:
        lines.append(_("专员会和机构商量这段时间怎么安排；结对还是你们的，到期再接着去。"))
    else:
        lines.append(_("专员会找人替你；结对还是你的，到期你再接着来。"))
    sure = yield Ask(
        "confirm",
        "\n".join(lines),
        (Choice("submit", _("请假")), Choice("day", _("改日期"), drops=("until",)), Choice("no", _("先不请假"))),
    )
    return Leave(stints, day) if sure == "submit" else None


def relay_talk(facts: RelayFacts, stints: tuple[str, ...], what: str) -> Talk:
    """The last day, the notes, and a look at it all."""
    today = date.fromisoformat(facts.today)
    summer = date(today.year + (today > date(today.year, 6, 30)), 6, 30)
    said = yield Ask(
        "last_day",
        _last_day_text(what).format(example=(today + timedelta(days=45)).isoformat()),
        (
            *((Choice("today", _("就到今天"), words=(_("今天"),)),) if what in ("stopped", "other") else ()),
            *((Choice("summer", _("到 {day}").format(day=summer.isoformat())),) if what == "graduation" else ()),
            Choice("open", _("还没定"), words=(_("不知道"), _("没定"), _("还不知道"), _("没想好"))),
        ),
        check=day_within(today, relaying.LONGEST_DAYS),
    )
    known = {"today": today, "summer": summer, "open": today + timedelta(days=OPEN_DAYS)}
    day = said if isinstance(said, date) else known[said]
    note, private = yield from ask_notes()
    lines = [_("请核对："), _("最后一天：{day}").format(day=with_weekday(day))]
    if said == "open":
        lines[-1] += _("（还没定，先按 {days} 天算）").format(days=OPEN_DAYS)
    if facts.pairings > 1:
        lines.append(_("结对：{value}").format(value=_how_many(stints, facts.pairings)))
    lines.append(_("给接的人的留言：{value}").format(value=_size(note)))
    lines.append(_("只给专员的话：{value}").format(value=_size(private)))
    if facts.house:
        lines.append(_("提交以后，专员就开始找接的团队。"))
    else:
        lines.append(_("提交以后，专员就开始找接的人；接上以前不会没人管。"))
    sure = yield Ask(
        "confirm",
        "\n".join(lines),
        (
            Choice("submit", _("提交")),
            Choice("day", _("改日期"), drops=("last_day",)),
            Choice("note", _("改留言"), drops=("note",)),
            Choice("private", _("改给专员的话"), drops=("private",)),
            Choice("no", _("先不交接")),
        ),
    )
    return Go(stints, _REASONS[what], day, note, private) if sure == "submit" else None


def _last_day_text(what: str) -> str:
    ask = _("你能服务到哪一天（最后一天）？写日期就行，例如 {example} 或“下月底”。")
    return {
        "graduation": _("毕业快乐！谢谢你一直陪着。") + ask,
        "moved": _("谢谢你搬走前想着这件事。") + ask,
        "stopped": _("谢谢你说出来，你已经帮了很多。") + ask,
    }.get(what, _("谢谢你告诉我们。") + ask)


def _size(words: str) -> str:
    """Never the words themselves: the chat may be one that must not carry them."""
    return _("{count} 字").format(count=len(words)) if words else _("没有写")

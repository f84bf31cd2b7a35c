"""The words of cards: what somebody reads of a message where a channel carries a few short fields only.

A state and what to do, never what it is about or whom it concerns: the card may be seen by others, and the message
itself is handed over when the person comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from config.texts import N_, SOURCE, _, current, speaking

LONGEST = 20  # characters of a field (platforms.md)
LONGEST_STATE = 5  # of a state in Chinese, as the strictest kind of field takes it

# The outbox kinds that have a card.
OF_KIND = {
    "notice.contact": "message",
    "notice.contact_answer": "answer",
    "notice.recognition_check": "recognition",
    "notice.role": "role",
    "notice.alert": "alert",
    "notice.unreachable": "unreachable",
    "notice.answer_unsure": "unreachable",
    # An invitation, an agreement or a handover waits for its reader, and somebody else waits for them.
    "notice.offer": "pairing",
    "notice.meeting": "pairing",
    "notice.agreement": "pairing",
    "notice.accepted": "pairing",
    "notice.nobody_left": "pairing",
    "notice.keeping": "pairing",
    "notice.relay": "pairing",
    "notice.relay_begun": "pairing",
    "notice.hand_over": "pairing",
    "notice.stand_in": "pairing",
    # A visit is owed, booked or overdue.
    "notice.visit": "visit",
    "notice.visit_eve": "visit",
    "notice.visit_how": "visit",
    "notice.visits_overdue": "visit",
    "notice.visit_cannot": "visit",
    "notice.visit_turn": "visit",
}
# State words are approved as templates where reminders are refused (platforms.md).
STATES = {
    "message": N_("有新留言"),
    "answer": N_("有新答复"),
    "recognition": N_("账号待核对"),
    "role": N_("职责有变动"),
    "alert": N_("求助待处理"),
    "unreachable": N_("有人待联系"),
    "pairing": N_("结对待处理"),
    "visit": N_("探访待处理"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """`at` is aware, in the person's own zone; `url` is where a press leads, empty for nowhere."""

    name: str
    at: datetime
    url: str = ""

    def state(self) -> str:
        """In the current language."""
        return _(STATES[self.name])

    def thing(self) -> str:
        """What to do, in the current language."""
        return _("请马上回复任意内容") if self.name == "alert" else _("回复任意内容就能看到")

    def time(self) -> str:
        """As WeChat writes days, whatever the language."""
        return f"{self.at.year}年{self.at.month}月{self.at.day}日 {self.at:%H:%M}"

    def field(self, ours: str, theirs: str) -> str:
        """The value of one field; `theirs` is the template's name for it. What takes Chinese only gets Chinese."""
        with speaking(SOURCE if theirs.startswith("phrase") else current()):
            return {"state": self.state, "thing": self.thing, "time": self.time}[ours]()


def of_kind(kind: str) -> str:
    """The card of an outbox kind; empty where it has none, so that only its words can carry it."""
    return OF_KIND.get(kind, "")


def made(kind: str, at: datetime, zone: str) -> Card | None:
    """The card of a message that was made at this time."""
    name = of_kind(kind)
    return Card(name, at.astimezone(ZoneInfo(zone))) if name else None

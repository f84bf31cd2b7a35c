"""签退: when it ended, how the person is, and an echo with the total."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from config.texts import _
from handlers.check_out_steps import CHECK_OUT as NAME
from handlers.check_out_steps import CheckOut, Running, TakeBack, carry_out, running, steps
from handlers.dialogue import Dialogue, Talk
from handlers.message import Option, Reply
from models.person import Person


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing runs."""


def _talk(facts: Running) -> Talk:
    if not facts.record:
        return Nothing()
    return (yield from steps(facts))


def _perform(session: Session, person: Person, command: CheckOut | TakeBack | Nothing) -> Reply:
    if isinstance(command, Nothing):
        text = _("现在没有在签到的服务。忘了签到的，可以补记；要开始，就签到。")
        return Reply(text, (Option("m:add_hours", _("补记时长")), Option("m:check_in", _("签到签退"))))
    return carry_out(session, person, command)


CHECK_OUT = Dialogue(NAME, Running, running, _talk, _perform)

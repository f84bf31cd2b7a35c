"""Talks that nobody came back to: they end, kindly said, and can be taken up again."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers import menu
from models.conversation import Run, State
from models.database import now_of
from models.ids import new_token

MAX_TALKS = 3


def end_idle(session: Session, state: State) -> str:
    """End talks that were idle too long. What was answered stays until the next time the person says no to it, so
    that the talk can be taken up again; returns what to tell the person, kindly, or nothing."""
    idle, current = [run for run in state.runs if _idle(session, run)], state.current
    if not idle:
        return ""
    state.runs = [run for run in state.runs if run not in idle]
    state.shown = []
    if state.current is not None and state.current is not current:
        # Its question is not the one on the screen: it is asked again before it hears anything.
        state.current.waiting, state.current.prompt = "", new_token()
    ended = [run for run in idle if menu.dialogue(run.dialogue) is not None][-MAX_TALKS:]
    if not ended:
        return _("抱歉，刚才的对话因为系统更新已经结束。")
    state.parked = ended
    state.ended_now = True
    title = menu.title(state.parked[-1].dialogue)
    return _("好久不见！上次的“{title}”搁置太久，我先结束了；填过的还留着，回复“{title}”就能接着来。").format(
        title=title
    )


def _idle(session: Session, run: Run) -> bool:
    dialogue = menu.dialogue(run.dialogue)
    if dialogue is None or not run.touched_at:
        return dialogue is None
    days = dialogue.idle_days or rules().registration.half_done_days
    return now_of(session) - datetime.fromisoformat(run.touched_at) > timedelta(days=days)

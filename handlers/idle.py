"""Talks that nobody came back to: they end, kindly said, and can be taken up again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers import menu
from handlers.message import Reply
from models.conversation import Run, State
from models.database import now_of
from models.ids import new_token

MAX_TALKS = 3
LATELY = timedelta(hours=6)  # so long a question is what somebody was just asked


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
    _park(state, ended)
    state.ended_now = True
    title = menu.title(state.parked[-1].dialogue)
    return _("好久不见！上次的“{title}”搁置太久，我先结束了；填过的还留着，回复“{title}”就能接着来。").format(
        title=title
    )


def put_away(state: State, reply: Reply) -> Reply:
    """With more than MAX_TALKS under way, put one of the older ones away, and say so above `reply`; it can be taken up
    again. First goes a talk that somebody else's message began: its button begins it again, so nothing is said."""
    older = state.runs[:-1]
    if len(state.runs) <= MAX_TALKS:
        return reply
    gone = next((run for run in older if _button_begins(run)), None)
    if gone is None:
        gone = next((run for run in older if menu.has_entry(run.dialogue)), older[0])
    state.runs = [run for run in state.runs if run is not gone]
    if not menu.has_entry(gone.dialogue):
        return reply
    _park(state, [gone])
    said = _(
        "同时进行的对话太多，我先把“{title}”收起来了；填过的还留着，等手上的说完，回复“{title}”就能接着来。"
    ).format(title=menu.title(gone.dialogue))
    return replace(reply, text=f"{said}\n\n{reply.text}")


def goes_on(session: Session, run: Run) -> str:
    """Said above the question of a talk that had been pushed aside, just now or long before."""
    since = run.touched_at or run.started_at
    if since and now_of(session) - datetime.fromisoformat(since) > LATELY:
        return _("之前还有一个问题没答完：")
    return _("我们接着刚才的：")


def _button_begins(run: Run) -> bool:
    dialogue = menu.dialogue(run.dialogue)
    return dialogue is None or (dialogue.repeats and not menu.has_entry(run.dialogue))


def _park(state: State, runs: list[Run]) -> None:
    """Of each talk the newest run is kept; what was put away before and is none of these stays."""
    names = {run.dialogue for run in runs}
    state.parked = [*(run for run in state.parked if run.dialogue not in names), *runs]


def _idle(session: Session, run: Run) -> bool:
    dialogue = menu.dialogue(run.dialogue)
    if dialogue is None or not run.touched_at:
        return dialogue is None
    days = dialogue.idle_days or rules().registration.half_done_days
    return now_of(session) - datetime.fromisoformat(run.touched_at) > timedelta(days=days)

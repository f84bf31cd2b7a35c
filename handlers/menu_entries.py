"""Every talk, and every menu entry and command that begins one or says something: two tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session

from config.texts import N_, _
from handlers import (
    account,
    activities,
    calls,
    check_in,
    check_out,
    confirming,
    contact,
    duty_leave,
    family,
    family_feedback,
    forgotten,
    granted,
    guardian,
    guardian_record,
    handovers,
    hours_case,
    hours_record,
    hours_wrong,
    household,
    households,
    institution_new,
    institution_steps,
    institutions,
    ledger,
    ledger_imports,
    ledger_upload,
    lone_visit,
    matched,
    merging,
    messages,
    my_hours,
    my_turn,
    nudge,
    offer,
    on_duty,
    pairings,
    preferences,
    preferred_door,
    privacy,
    profile,
    proposals,
    qualifications,
    recognition,
    registration,
    relay,
    relay_answers,
    roster_upload,
    safeguarding,
    served_steps,
    silence,
    specialist,
    substitutes,
    taking_turns,
    team_acts,
    team_new,
    team_relay,
    teams,
    tell_hours,
    todo,
    unpaired,
    unvisited,
    visit_read,
    visit_report,
    visits,
    visits_behalf,
    volunteer_dates,
)
from handlers.dialogue import Dialogue
from handlers.here import here
from handlers.message import Reply
from models.conversation import Run
from models.person import Person

DIALOGUES: dict[str, Dialogue] = {
    dialogue.name: dialogue
    for dialogue in (
        registration.REGISTRATION,
        guardian.GUARDIAN,
        guardian_record.GUARDIAN_RECORD,
        profile.PROFILE,
        profile.CHANGE,
        preferences.LANGUAGE,
        preferences.QUIET,
        preferences.PAUSE,
        preferences.ADDRESS,
        preferred_door.PREFERRED_DOOR,
        account.BIND,
        account.UNBIND,
        recognition.RECOGNITION,
        recognition.RECOGNITION_CHECK,
        recognition.RECOGNITION_CODE,
        privacy.CONSENTS,
        privacy.DELETE,
        contact.CONTACT,
        contact.CONTACT_MORE,
        contact.CONTACT_UNDO,
        duty_leave.DUTY_LEAVE,
        duty_leave.DUTY_DEPUTY,
        qualifications.QUALIFICATIONS,
        todo.TODO_ACT,
        unvisited.UNVISITED,
        unvisited.VISIT_ACT,
        messages.CONTACT_ANSWER,
        messages.MESSAGES,
        safeguarding.TELL_MORE,
        on_duty.TAKE_ALERT,
        on_duty.ALERT_PHONE,
        calls.CALLS,
        calls.CALL,
        calls.CALL_UNDO,
        ledger.LEDGER,
        ledger.ANSWER,
        family.JOIN,
        family.SAY,
        offer.OFFER,
        offer.UNDO,
        offer.WHY,
        pairings.AGREEMENT,
        pairings.LOOK,
        unpaired.UNPAIRED,
        served_steps.SERVED_STEP,
        proposals.PROPOSALS,
        matched.MATCH_ALL,
        matched.MATCHED,
        teams.TEAMS,
        team_acts.TEAM,
        team_new.TEAM_NEW,
        specialist.SPECIALIST,
        volunteer_dates.VOLUNTEER_DATES,
        relay.HAND_OVER,
        relay_answers.TERM,
        relay_answers.GO_ON,
        relay_answers.GIVE,
        relay_answers.NOTE,
        handovers.HAND_OVERS,
        handovers.HANDOVER,
        substitutes.FIND,
        substitutes.STAND_IN,
        team_relay.TEAM_RELAY,
        taking_turns.TURNS,
        taking_turns.TURN_PLAN,
        my_turn.TURN,
        institutions.INSTITUTIONS,
        institution_steps.INSTITUTION_STEP,
        institution_new.INSTITUTION_NEW,
        households.HOUSEHOLDS,
        household.HOUSEHOLD,
        nudge.NUDGE,
        silence.SILENCE,
        ledger_upload.UPLOAD,
        roster_upload.ROSTER,
        ledger_imports.IMPORTS,
        ledger_imports.ONE,
        merging.CONFIRM,
        merging.UNDO,
        check_in.CHECK_IN,
        check_in.CHECK_IN_AT,
        check_out.CHECK_OUT,
        activities.ACTIVITY_NEW,
        activities.ACTIVITY,
        lone_visit.LONE_VISIT,
        lone_visit.LONE_ANSWER,
        lone_visit.LONE_PARTNER,
        my_hours.MY_HOURS,
        hours_wrong.HOURS_WRONG,
        confirming.HOURS_TO_CONFIRM,
        hours_record.HOURS_RECORD,
        hours_case.HOURS_CASE,
        forgotten.CHECK_OUT_ASKED,
        family_feedback.FAMILY_FEEDBACK,
        tell_hours.TELL_HOURS,
        visits.VISIT_ANSWER,
        visits.VISIT_OFF,
        visits.VISIT_VAIN,
        visits.BOOK_VISIT,
        visit_report.VISIT_REPORT,
        visit_read.VISIT_READ,
        visits_behalf.VISIT_BEHALF,
        visits_behalf.VISIT_HOLD,
    )
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A menu entry or command: it begins a talk, or says something; with neither it does not exist yet."""

    key: str
    label: str
    dialogue: Dialogue | None = None
    say: Callable[[Session, Person], Reply] | None = None


def _allow_notice(session: Session, person: Person) -> Reply:
    return granted.offer(session, person, *here(session).asks)


# The WeChat menu of programme.md §13, and what hangs below “我的”. Keys are Telegram's commands too.
ENTRIES: dict[str, Entry] = {
    entry.key: entry
    for entry in (
        Entry("check_in", N_("签到签退"), check_in.CHECK_IN),
        Entry("book_visit", N_("约探访"), visits.BOOK_VISIT),
        Entry("visit_report", N_("探访记录"), visit_report.VISIT_REPORT),
        Entry("add_hours", N_("补记时长"), tell_hours.TELL_HOURS),
        Entry("hand_over", N_("请假交接"), relay.HAND_OVER),
        Entry("pairings", N_("我的结对"), say=pairings.overview),
        Entry("hours", N_("我的时长"), my_hours.MY_HOURS),
        Entry("hours_wrong", N_("我的时长有误"), hours_wrong.HOURS_WRONG),
        Entry("stars", N_("星级证明")),
        Entry("profile", N_("我的资料"), say=profile.overview),
        Entry("privacy", N_("隐私授权"), say=privacy.overview),
        Entry("register", N_("报名注册"), registration.REGISTRATION),
        Entry("activities", N_("近期活动"), say=activities.near),
        Entry("contact", N_("联系专员"), contact.CONTACT),
        Entry("contact_more", N_("补充留言"), contact.CONTACT_MORE),
        Entry("contact_undo", N_("撤回留言"), contact.CONTACT_UNDO),
        Entry("worried", N_("我很担心TA"), say=safeguarding.worried),
        Entry("sos", N_("紧急求助"), say=safeguarding.sos),
        Entry("messages", N_("留言"), messages.MESSAGES),
        Entry("calls", N_("要打电话的人"), calls.CALLS),
        Entry("teams", N_("团队"), teams.TEAMS),
        Entry("team_new", N_("新建团队"), team_new.TEAM_NEW),
        Entry("county_specialist", N_("设区县专员"), specialist.SPECIALIST),
        Entry("volunteer_dates", N_("登记培训和证明"), volunteer_dates.VOLUNTEER_DATES),
        Entry("duty_leave", N_("值班请假"), duty_leave.DUTY_LEAVE),
        Entry("qualifications", N_("培训与证书"), qualifications.QUALIFICATIONS),
        Entry("todo", N_("待办清单"), say=todo.overview),
        Entry("unpaired", N_("待结对"), unpaired.UNPAIRED),
        Entry("unvisited", N_("未探访"), unvisited.UNVISITED),
        Entry("hours_to_confirm", N_("待审时长"), confirming.HOURS_TO_CONFIRM),
        Entry("hand_overs", N_("交接清单"), handovers.HAND_OVERS),
        Entry("hand_over_team", N_("整队交接"), team_relay.TEAM_RELAY),
        Entry("institutions", N_("机构结对"), institutions.INSTITUTIONS),
        Entry("institution_new", N_("登记机构"), institution_new.INSTITUTION_NEW),
        Entry("turns", N_("轮流排班"), taking_turns.TURNS),
        Entry("nobody_dropped", N_("一户不落"), households.HOUSEHOLDS),
        Entry("monthly_report", N_("月报")),
        Entry("ledger", N_("台账"), ledger.LEDGER),
        Entry("import_ledger", N_("导入台账"), ledger_upload.UPLOAD),
        Entry("import_roster", N_("导入名册"), roster_upload.ROSTER),
        Entry("imports", N_("最近的导入"), ledger_imports.IMPORTS),
        Entry("theme_days", N_("主题日")),
        Entry("approvals", N_("待审批")),
        Entry("more_profile", N_("填写更多资料"), profile.PROFILE),
        Entry("change_profile", N_("改一项资料"), profile.CHANGE),
        Entry("address_form", N_("称呼"), preferences.ADDRESS),
        Entry("language", N_("语言 Language"), preferences.LANGUAGE),
        Entry("quiet_hours", N_("免打扰时段"), preferences.QUIET),
        Entry("pause", N_("暂停到某天"), preferences.PAUSE),
        Entry("allow_notice", N_("开通提醒"), say=_allow_notice),
        Entry("preferred_door", N_("优先渠道"), preferred_door.PREFERRED_DOOR),
        Entry("bind", N_("绑定另一个账号"), account.BIND),
        Entry("unbind", N_("解除绑定"), account.UNBIND),
        Entry("recognise", N_("我以前注册过"), recognition.RECOGNITION),
        Entry("consents", N_("查看和撤回授权"), privacy.CONSENTS),
        Entry("my_data", N_("我的数据"), say=privacy.my_data),
        Entry("delete_me", N_("删除我的数据"), privacy.DELETE),
        Entry("guardian", N_("我是监护人"), guardian.GUARDIAN),
        Entry("guardian_record", N_("登记监护人书面同意"), guardian_record.GUARDIAN_RECORD),
        Entry("offer", N_("看邀请"), offer.OFFER),
        Entry("match_all", N_("给全部的人配一次"), matched.MATCH_ALL),
        Entry("family", N_("我家的志愿者"), say=family.overview),
        Entry("family_join", N_("输入家里的码"), family.JOIN),
        Entry("my", N_("我的"), say=profile.my),
        Entry("check_out", N_("签退"), check_out.CHECK_OUT),
        Entry("activity_new", N_("新建活动"), activities.ACTIVITY_NEW),
        Entry("lone_visit", N_("独自上门"), lone_visit.LONE_VISIT),
        Entry("silent_word", N_("暗语"), say=lone_visit.silent_word),
    )
}


def dialogue(name: str) -> Dialogue | None:
    """The dialogue of a name; None for one that a later version no longer has."""
    return DIALOGUES.get(name)


def entry(key: str) -> Entry | None:
    """The menu entry of a key."""
    return ENTRIES.get(key)


def title(name: str) -> str:
    """How a talk is called on the menu; its entry's label."""
    return next((_(found.label) for found in ENTRIES.values() if found.dialogue and found.dialogue.name == name), name)


def has_entry(name: str) -> bool:
    """Whether the menu has an entry that begins this talk."""
    return any(found.dialogue and found.dialogue.name == name for found in ENTRIES.values())


def keys_of(runs: list[Run]) -> tuple[str, ...]:
    """The entries that begin these talks."""
    names = {run.dialogue for run in runs}
    return tuple(entry.key for entry in ENTRIES.values() if entry.dialogue and entry.dialogue.name in names)

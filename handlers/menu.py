"""Global words, menu entries, deep links, words that begin a talk: one table each, looked at before any talk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session

from config.texts import LANGUAGES, N_, SOURCE, _, language_for, speaking
from handlers import (
    account,
    calls,
    contact,
    family,
    granted,
    guardian,
    guardian_record,
    handovers,
    household,
    households,
    ledger,
    ledger_imports,
    ledger_upload,
    matched,
    merging,
    messages,
    nudge,
    offer,
    on_duty,
    pairings,
    preferences,
    preferred_door,
    privacy,
    profile,
    proposals,
    recognition,
    registration,
    relay,
    relay_answers,
    safeguarding,
    served_steps,
    specialist,
    substitutes,
    team_acts,
    team_new,
    team_relay,
    teams,
    unpaired,
    volunteer_dates,
)
from handlers.dialogue import Answer, Dialogue
from handlers.here import here
from handlers.menu_words import ACKNOWLEDGED, CODE, GREETS, INTENTS, LANGUAGE_WORDS, LONGEST_WISH, WORD
from handlers.message import Inbound, MenuColumn, MenuEntry, Option, Reply
from handlers.operator import who_is_responsible
from models import family_doors
from models.code import kind_of
from models.conversation import Run
from models.person import Person
from models.role import highest
from models.team import memberships
from models.volunteer import volunteer_of

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
        households.HOUSEHOLDS,
        household.HOUSEHOLD,
        nudge.NUDGE,
        ledger_upload.UPLOAD,
        ledger_imports.IMPORTS,
        ledger_imports.ONE,
        merging.CONFIRM,
        merging.UNDO,
    )
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A menu entry or command: it begins a talk, or says something; with neither it does not exist yet."""

    key: str
    label: str
    dialogue: Dialogue | None = None
    say: Callable[[Session, Person], Reply] | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A talk that words or a link begin, with what is known already. `always` = also in the middle of another talk."""

    dialogue: Dialogue
    answers: dict[str, Answer]
    always: bool = False


def _allow_notice(session: Session, person: Person) -> Reply:
    return granted.offer(session, person, *here(session).asks)


# The WeChat menu of programme.md §13, and what hangs below “我的”. Keys are Telegram's commands too.
ENTRIES: dict[str, Entry] = {
    entry.key: entry
    for entry in (
        Entry("check_in", N_("签到签退")),
        Entry("book_visit", N_("约探访")),
        Entry("visit_report", N_("探访记录")),
        Entry("add_hours", N_("补记时长")),
        Entry("hand_over", N_("请假交接"), relay.HAND_OVER),
        Entry("pairings", N_("我的结对"), say=pairings.overview),
        Entry("hours", N_("我的时长")),
        Entry("stars", N_("星级证明")),
        Entry("profile", N_("我的资料"), say=profile.overview),
        Entry("privacy", N_("隐私授权"), say=privacy.overview),
        Entry("register", N_("报名注册"), registration.REGISTRATION),
        Entry("activities", N_("近期活动")),
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
        Entry("todo", N_("待办清单")),
        Entry("unpaired", N_("待结对"), unpaired.UNPAIRED),
        Entry("unvisited", N_("未探访")),
        Entry("hours_to_confirm", N_("待审时长")),
        Entry("hand_overs", N_("交接清单"), handovers.HAND_OVERS),
        Entry("hand_over_team", N_("整队交接"), team_relay.TEAM_RELAY),
        Entry("nobody_dropped", N_("一户不落"), households.HOUSEHOLDS),
        Entry("monthly_report", N_("月报")),
        Entry("ledger", N_("台账"), ledger.LEDGER),
        Entry("import_ledger", N_("导入台账"), ledger_upload.UPLOAD),
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


def global_word(words: str) -> str | None:
    """ "cancel", "enough", "back", "menu" or "help" when the whole message is such a word."""
    return WORD.get(words.casefold().strip("。.!！“”「」 "))


def greets(words: str) -> bool:
    """A bare hello."""
    return bool(GREETS.match(words))


def acknowledged(words: str) -> bool:
    """A bare 收到, 好的 or [OK]: it accepts nothing and starts nothing."""
    return bool(ACKNOWLEDGED.match(words))


def begins(words: str) -> Begun | Entry | None:
    """The talk that these words begin, or the entry that they mean."""
    typed = CODE.match(words)
    if typed:
        guards = typed[1].casefold() in ("监护", "監護", "guardian")
        return Begun(guardian.GUARDIAN if guards else account.BIND, {"code": {"t": typed[2]}}, always=True)
    language = LANGUAGE_WORDS.get(words.casefold().removesuffix("中文"))
    if language is not None:
        return Begun(preferences.LANGUAGE, {"language": {"c": language}}, always=True)
    always = next((key for pattern, key, anywhere in INTENTS if anywhere and pattern.search(words)), None)
    if always is not None:
        return _found(ENTRIES[always], always=True)
    plain = words.casefold()
    for found in ENTRIES.values():
        if plain in (found.label.casefold(), _(found.label).casefold()):
            return _found(found)
    if len(words) > LONGEST_WISH:
        return None
    told = preferences.told_at_once(words) or relay.told_at_once(words)
    if told is not None:
        return Begun(*told)
    meant = next((key for pattern, key, _anywhere in INTENTS if pattern.search(words)), None)
    return _found(ENTRIES[meant]) if meant is not None else None


def is_named(words: str) -> bool:
    """Whether a whole message is an entry's name, or the plain wish for it. Not “回复” and its like, which may be typed
    for the button that has just been pressed."""
    plain = words.casefold()
    if any(plain in (found.label.casefold(), _(found.label).casefold()) for found in ENTRIES.values()):
        return True
    return any(key != "messages" and pattern.fullmatch(words) for pattern, key, _always in INTENTS)


def _found(entry: Entry, *, always: bool = False) -> Begun | Entry:
    return Begun(entry.dialogue, {}, always) if entry.dialogue else entry


def always(found: Begun | Entry) -> bool:
    """Whether it is heard even in the middle of another talk."""
    return found.always if isinstance(found, Begun) else found.key in ("sos", "worried", "my", "my_data")


def scene(value: str) -> Begun | None:
    """A QR scene or deep-link parameter: `g_CODE` for a guardian, `b_CODE` for binding, or an entry's key."""
    kind, _underscore, code = value.partition("_")
    if kind == "g" and code:
        return Begun(guardian.GUARDIAN, {"code": {"t": code}})
    if kind == "b" and code:
        return Begun(account.BIND, {"code": {"t": code}})
    found = ENTRIES.get(value)
    return Begun(found.dialogue, {}) if found and found.dialogue else None


def behind_code(session: Session, person: Person, code: str) -> Begun | None:
    """The talk that a code by itself belongs to; None for one that nobody was given, which counts as a wrong try."""
    if family_doors.look(session, code, person.id) is not None:
        return Begun(family.JOIN, {"code": {"t": code}})
    talks = {"guardian": guardian.GUARDIAN, "bind": account.BIND, "recognition": recognition.RECOGNITION_CODE}
    kind = kind_of(session, code, person.id, tuple(talks))
    return Begun(talks[kind], {"code": {"t": code}}) if kind else None


def language_of(inbound: Inbound) -> str:
    """The language to begin with: the platform's hint, Chinese without one."""
    return language_for(inbound.language)


def role_of(session: Session, person: Person) -> str:
    """Which menu the person should see."""
    return highest(session, person.id)


def menus() -> dict[str, tuple[MenuColumn, ...]]:
    """The menus for WeChat: by role, and again in English (marked @en) for whoever chose that language. Cantonese
    readers use Telegram (programme §13); each menu more counts against the hundred that an account may have."""
    return _in_languages((SOURCE, "en"), columns)


def _in_languages(
    languages: tuple[str, ...], make: Callable[[], dict[str, tuple[MenuColumn, ...]]]
) -> dict[str, tuple[MenuColumn, ...]]:
    found: dict[str, tuple[MenuColumn, ...]] = {}
    for language in languages:
        with speaking(language):
            mark = "" if language == SOURCE else f"@{language}"
            found |= {f"{role}{mark}": made for role, made in make().items()}
    return found


def columns() -> dict[str, tuple[MenuColumn, ...]]:
    """The menus by role, in the current language: 3 × 5, at most 4 and 8 Chinese characters."""

    def column(label: str, *keys: str) -> MenuColumn:
        return MenuColumn(label, tuple(MenuEntry(key, _(ENTRIES[key].label)) for key in keys))

    serve = column(_("去服务"), "check_in", "book_visit", "visit_report", "add_hours", "hand_over")
    find = column(_("找帮助"), "register", "activities", "contact", "worried", "sos")
    return {
        "volunteer": (serve, column(_("我的"), "pairings", "hours", "stars", "profile", "privacy"), find),
        "specialist": (
            serve,
            column(_("今天办"), "todo", "unpaired", "unvisited", "hours_to_confirm", "hand_overs"),
            find,
        ),
        "organiser": (
            serve,
            column(_("管全县"), "nobody_dropped", "monthly_report", "ledger", "theme_days", "approvals"),
            find,
        ),
    }


def commands() -> dict[str, tuple[MenuColumn, ...]]:
    """The menus for a platform with a list of commands: the same, with what works everywhere, in every language; those
    other than the source are marked with it (@en)."""

    def with_everywhere() -> dict[str, tuple[MenuColumn, ...]]:
        entries = [
            MenuEntry("menu", _("菜单")),
            MenuEntry("my", _("我的")),
            MenuEntry("language", _("语言 Language")),
            MenuEntry("help", _("帮助")),
            MenuEntry("cancel", _("取消")),
            MenuEntry("back", _("返回")),
        ]
        to_answer = ENTRIES["messages"]
        waiting = MenuEntry(to_answer.key, _(to_answer.label))
        return {
            role: (
                *own,
                MenuColumn(_("随时可用"), tuple(entries if role == "volunteer" else [waiting, *entries])),
            )
            for role, own in columns().items()
        }

    return _in_languages(LANGUAGES, with_everywhere)


def greeting(session: Session, person: Person) -> Reply:
    """What somebody reads who has just come: what this is, and what to do first."""
    role = role_of(session, person)
    if volunteer_of(session, person.id) is not None:
        text = _("欢迎回来！这里是暖阳。回复“菜单”看看能做什么。")
        return Reply(text, options("profile", "contact"), menu=role)
    text = _(
        "你好，这里是暖阳——青年志愿者助残“阳光行动”的小助手。\n"
        "现在可以在这里报名当志愿者、管理自己的资料、接受结对、给负责的同事留言；探访和服务时长还在准备。\n"
        "想加入，回复“报名”；随时可以回复“菜单”“帮助”或“联系专员”。"
    )
    return Reply(text, options("register", "recognise", "language"), menu=role)


def overview(session: Session, person: Person, *, talking: bool) -> Reply:
    """The menu in words, with what can be begun now."""
    role = role_of(session, person)
    lines = [_("菜单")]
    for column in columns()[role]:
        entries = _("、").join(entry.label for entry in column.entries)
        lines.append(_("{item}：{value}").format(item=column.label, value=entries))
    if talking:
        lines.append(still_waiting())
        return Reply("\n".join(lines), menu=role)
    return Reply("\n".join(lines), options(*first_steps(session, person), "my", "contact", "sos"), menu=role)


def still_waiting() -> str:
    """Said where something else is shown while a question waits."""
    return _("刚才的问题还等着你：直接回答就行，或回复“取消”。")


def first_steps(session: Session, person: Person) -> tuple[str, ...]:
    """What is offered before all else: what waits for an answer, to whoever has a role; registering, to whoever is not
    registered yet."""
    waiting = ("messages",) if _has_role(session, person) else ()
    return waiting if volunteer_of(session, person.id) is not None else (*waiting, "register")


def _has_role(session: Session, person: Person) -> bool:
    return role_of(session, person) != "volunteer"


def help_text(session: Session, person: Person, *, talking: bool) -> Reply:
    """What works everywhere, and who answers for it."""
    place = here(session)
    lines = [
        _("随时可以回复："),
        _("“取消”结束现在的对话，“返回”改上一题，“菜单”看能做什么。"),
        _("“联系专员”可以留言，负责的人看到会回复，要等多久说不准。遇到危险请先拨打110或120。"),
    ]
    if _has_role(session, person):
        lines.append(_("你负责的：“留言”看等你答复的话，“要打电话的人”看消息送不到的人，“团队”看团队和专员。"))
    elif memberships(session, person.id):
        lines.append(_("“团队”看你所在的团队。"))
    lines.append(who_is_responsible(place.operator, place.operator_contact))
    return Reply("\n".join(lines), () if talking else options(*first_steps(session, person), "my", "contact"))


def nothing_to(word: str) -> Reply:
    """取消, 先到这里 or 返回 where no talk is under way."""
    text = {
        "cancel": _("现在没有进行中的对话，不用取消。"),
        "enough": _("好的，先到这里，记下的都保存了。"),
    }.get(word, _("已经在最外面了。"))
    return Reply(text + _("想做什么，回复“菜单”。"))


def not_yet(found: Entry) -> Reply:
    """An entry whose talk does not exist yet says so kindly."""
    text = _("“{label}”正在准备，还不能用。想说的事可以先留言：回复“联系专员”。").format(label=_(found.label))
    return Reply(text, options("my", "contact"))


def unknown_entry() -> Reply:
    """A command or menu key that we do not know."""
    return Reply(_("没有这个指令。回复“菜单”看看能做什么，或回复“联系专员”。"), options("my", "contact"))


def options(*keys: str) -> tuple[Option, ...]:
    """Menu entries as things to choose below an answer."""
    return tuple(Option(f"m:{key}", _(ENTRIES[key].label)) for key in keys)

"""The programme's figures as typed objects: rules.toml, and a deployment's own file over it."""

from __future__ import annotations

import tomllib
from datetime import time
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.settings import UnsafeSetting, told
from config.texts import _

HERE = Path(__file__).parent
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Registration(_Part):
    """Ages in full years, terms in days."""

    notice_version: str
    minimum_age: Count
    guardian_consent_below: Count
    guardian_alone_below: Count
    self_supporting_from: Count
    half_done_days: Count
    guardian_link_days: Count
    pending_minor_days: Count


class Doors(_Part):
    """One-time codes and pages."""

    code_minutes: Count
    code_tries: Count
    code_pause_minutes: Count
    page_minutes: Count
    blocked_days: Count
    message_page_hours: Count


class Messages(_Part):
    """Retention, limits and the usual quiet hours (local times)."""

    retention_days: Count
    talk_retention_days: Count
    reply_expires_hours: Count
    contacts_per_hour: Count
    contact_silent_hours: Count
    quiet_from: time
    quiet_until: time


class Imports(_Part):
    """Imports of ledgers."""

    undo_days: Count


class Pairing(_Part):
    """Capacities, holds and terms of pairings (programme §5)."""

    per_volunteer: Count
    team_capacity: Count
    hold_hours: Count
    round_most: Count
    take_back_hours: Count
    agree_days: Count
    term_months: Count
    activities_a_year: Count
    relay_before_days: Count
    silence_days: Count
    silent_ask_days: Count
    silent_again_days: Count
    silent_relay_days: Count
    near_km: float
    clearance_for_minors: bool
    consent_version: str
    conduct_version: str


MonthDay = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
Two = Annotated[list[MonthDay], Field(min_length=2, max_length=2)]


class Visits(_Part):
    """Owed visits, their reminders and what follows when they are overdue (programme §6)."""

    a_year: Annotated[int, Field(ge=2, le=2)]
    spacing_days: Count
    face_to_face: Annotated[int, Field(ge=0, le=2)]
    student_due: Two
    other_due: Two
    late_start_days: Count
    remind_before_days: Annotated[list[Count], Field(min_length=1)]
    overdue_days: Annotated[list[Count], Field(min_length=5, max_length=5)]
    held_days: Count
    vain_days: Count
    evening_before: time
    ask_after_hours: Count


class Hours(_Part):
    """Service records and the hours ledger (programme §7)."""

    step_minutes: Annotated[int, Field(ge=30, le=30)]
    day_minutes: Count
    week_minutes: Count
    longest_minutes: Count
    told_days: Count
    usual_minutes: Count
    confirm_hours: Count
    answer_days: Count
    stars: Annotated[list[Count], Field(min_length=5, max_length=5)]
    near_metres: Count
    code_seconds: Annotated[int, Field(ge=30)]
    lone_grace_minutes: Annotated[int, Field(ge=1)]
    lone_longest_hours: Annotated[int, Field(ge=1, le=24)]


class Qualifications(_Part):
    """Specialists' training, certificates and insurances (programme §8)."""

    first_training_months: Count
    training_months: Count
    remind_before_days: Annotated[list[Count], Field(min_length=1)]


class Duty(_Part):
    """The day of specialists and organisers (programme §6): local times of what is gathered for them, and leave."""

    morning: time
    digest: time
    leave_most_days: Annotated[int, Field(ge=1)]
    soon_days: Count


class Channels(_Part):
    """What a platform's channels allow: WeChat's windows and quotas, and how long its keys are good for."""

    window_hours: Count
    window_messages: Count
    click_seconds: Count
    click_messages: Count
    custom_daily: Count
    template_daily: Count
    mass_monthly: Count
    key_minutes: Count
    card_hours: Count


class Safety(_Part):
    """Numbers to call, the words that are answered with them at once, how much one record takes, and after how many
    minutes a cry for help that has not certainly arrived goes farther."""

    emergency_police: str
    emergency_medical: str
    emergency_sms: str
    emergency_overseas: str
    youth_hotline: str
    danger_words: tuple[str, ...]
    danger_messages: tuple[str, ...]
    silent_words: tuple[str, ...]
    harmless_phrases: tuple[str, ...]
    refused_address_words: tuple[str, ...]
    alert_characters: Count
    alert_unreached_minutes: Count


class Rules(_Part):
    """All figures of a deployment."""

    registration: Registration
    doors: Doors
    messages: Messages
    ledger: Imports
    pairing: Pairing
    visits: Visits
    hours: Hours
    qualifications: Qualifications
    duty: Duty
    channels: Channels
    safety: Safety


_file: list[Path] = []


def use_rules(path: Path) -> None:
    """Lay a deployment's own file over rules.toml; raises UnsafeSetting naming what is wrong in it, and then the
    figures stay as they were."""
    before = list(_file)
    _file[:] = [path]
    rules.cache_clear()
    try:
        rules()
    except UnsafeSetting:
        _file[:] = before
        rules.cache_clear()
        raise


def own_rules_off() -> None:
    """The programme's own figures again."""
    _file.clear()
    rules.cache_clear()


@cache
def rules() -> Rules:
    """The figures in force."""
    figures = tomllib.loads((HERE / "rules.toml").read_text("utf-8"))
    for path in _file:
        try:
            own = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UnsafeSetting("NUANYANG_RULES_FILE", _("读不出来（{why}）").format(why=error)) from None
        for part, values in own.items():
            if not isinstance(values, dict) or part not in figures:
                raise UnsafeSetting(
                    "NUANYANG_RULES_FILE", _("没有 [{part}] 这一部分：见 config/rules.toml").format(part=part)
                )
            figures[part] = {**figures[part], **values}
    try:
        return Rules.model_validate(figures)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = _("{item}：{value}").format(item=where, value=told(first))
        raise UnsafeSetting("NUANYANG_RULES_FILE", problem) from None

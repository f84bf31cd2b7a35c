"""What `nuanyang doctor` looks at on this machine: what each account is set to do is in bot/doctor_accounts.py, what is
asked of the platforms in bot/doctor_calls.py.

Every check says what it found, good or bad, and how to mend it. No check changes anything, but for a probe file in
the spool folder.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import text

from bot import doctor_accounts, doctor_calls, preflight
from bot.commands import keys
from bot.commands.shared import Problem, connect, refuse_missing_file, refuse_old
from bot.doctor_calls import Finding, bad, good, warn
from bot.loopback import is_loopback
from config.catalogue import rules, use_rules
from config.settings import Settings, TelegramAccount, UnsafeSetting, WeChatAccount, told
from config.texts import LANGUAGES, SOURCE, _, catalogue
from models import migrate, rotation
from models.clock import moved_by
from models.database import Database, DatabaseAway
from models.role import organisers
from models.vault import Vault

LEAST_FREE = 500 * 1024 * 1024  # bytes
OLD_SPOOL = 15 * 60  # seconds
# Read from the environment beside the settings' own fields.
_BESIDE = {"NUANYANG_CONFIG", "NUANYANG_SECRETS", "NUANYANG_LANGUAGE"}


class _Raw(Settings):
    """The configuration with accounts unread, so that one bad account does not hide the others."""

    wechat: dict[str, Any] = {}
    telegram: dict[str, Any] = {}


async def examine(*, offline: bool = False) -> list[Finding]:
    """Everything that can be found, in the order of the configuration's documentation."""
    findings: list[Finding] = []
    settings = _read_settings(findings)
    findings += _files()
    findings += _unknown_variables()
    if settings is None:
        return findings
    findings += _plain_settings(settings)
    findings += doctor_accounts.examine(settings)
    findings += await asyncio.to_thread(lambda: list(_spool(settings.spool)))
    findings += await asyncio.to_thread(lambda: list(_data(settings)))
    if offline:
        findings.append(warn(_("接口"), _("没有检查（--offline）")))
    else:
        findings += await doctor_calls.examine(settings)
    return findings


# Settings


def is_configured() -> bool:
    """Whether any of the three sources of configuration says anything; a folder of `nuanyang run` has none."""
    folder = Path(os.environ.get("NUANYANG_SECRETS") or "/run/secrets/nuanyang")
    named = (variable for variable in os.environ if variable.upper().startswith("NUANYANG_"))
    return (
        Path(os.environ.get("NUANYANG_CONFIG") or "nuanyang.toml").is_file()
        or folder.is_dir()
        or any(variable.upper() != "NUANYANG_LANGUAGE" for variable in named)
    )


def _read_settings(findings: list[Finding]) -> Settings | None:
    """The settings as far as they are good; what is bad is reported and left at its default."""
    raw = _load(findings)
    if raw is None:
        return None
    accounts: dict[str, dict[str, Any]] = {"wechat": {}, "telegram": {}}
    kinds: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("wechat", WeChatAccount, raw.wechat),
        ("telegram", TelegramAccount, raw.telegram),
    )
    for kind, shape, given in kinds:
        for name, values in given.items():
            try:
                accounts[kind][name] = TypeAdapter(shape).validate_python(values)
            except ValidationError as error:
                findings += [_invalid((kind, name, *each["loc"]), each) for each in _errors(error)]
    values = {name: getattr(raw, name) for name in Settings.model_fields}
    return Settings.model_construct(_fields_set=raw.model_fields_set, **{**values, **accounts})


def _load(findings: list[Finding]) -> _Raw | None:
    defaults: dict[str, Any] = {}
    while True:
        try:
            return _Raw(**defaults)
        except ValidationError as error:
            named = {str(each["loc"][0]) for each in _errors(error)}
            findings += [_invalid(each["loc"], each) for each in _errors(error)]
            if named <= defaults.keys():
                return None
            fields = _Raw.model_fields
            defaults |= {name: fields[name].get_default(call_default_factory=True) for name in named}
        except UnsafeSetting as error:
            findings.append(bad(error.key, error.problem))
            return None
        except (OSError, ValueError) as error:
            key = os.environ.get("NUANYANG_CONFIG") or "nuanyang.toml"
            findings.append(bad(key, str(error).split("\n")[0], _("改正这一行；写法见 docs/operating.md")))
            return None


def _errors(error: ValidationError) -> list[Any]:
    return list(error.errors(include_input=False))


def _invalid(path: tuple[int | str, ...], error: Any) -> Finding:
    key = "NUANYANG_" + "__".join(str(part).upper() for part in path if not isinstance(part, int))
    return bad(key, told(error), _("设置它") if error["type"] == "missing" else _("改正它"))


def _unknown_variables() -> Iterator[Finding]:
    known = {f"NUANYANG_{name.upper()}" for name in Settings.model_fields} | _BESIDE
    for variable in sorted(os.environ):
        if not variable.upper().startswith("NUANYANG_") or variable.upper().split("__")[0] in known:
            continue
        close = difflib.get_close_matches(variable.upper(), sorted(known), 1)
        mend = _("是不是想写 {name}？").format(name=close[0]) if close else _("删掉它")
        yield warn(variable, _("不是这个程序的设置，不起作用"), mend)


def _files() -> Iterator[Finding]:
    """Who may read the files with secrets."""
    paths = [Path(os.environ.get("NUANYANG_CONFIG") or "nuanyang.toml")]
    folder = os.environ.get("NUANYANG_SECRETS")
    if folder and Path(folder).is_dir():
        paths += sorted(path for path in Path(folder).rglob("*") if path.is_file())
    for path in paths:
        if not path.is_file():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        mend = _("运行 chmod 600 {path}").format(path=path)
        if mode & 0o007:
            yield bad(str(path), _("任何人都能读（{mode:o}）").format(mode=mode), mend)
        elif mode & 0o070:
            yield warn(str(path), _("同组的人也能读（{mode:o}）").format(mode=mode), mend)
        else:
            yield good(str(path), _("只有本人能读"))


def _plain_settings(settings: Settings) -> Iterator[Finding]:
    local = datetime.now(ZoneInfo(settings.timezone))
    yield good("NUANYANG_TIMEZONE", _("{zone}，{now}").format(zone=settings.timezone, now=f"{local:%Y-%m-%d %H:%M}"))
    yield from _public_url(settings)
    yield from _operator(settings)
    try:
        if settings.rules_file is not None:
            use_rules(settings.rules_file)
        rules()
        yield good("NUANYANG_RULES_FILE", str(settings.rules_file or _("用自带的规则")))
    except UnsafeSetting as error:
        yield bad(error.key, error.problem, _("改正这个文件；写法见 config/rules.toml"))
    for language in LANGUAGES:
        yield _locale(language)


def _locale(language: str) -> Finding:
    key = f"config/locales/{language}"
    try:
        words = catalogue(language)
    except (OSError, ValueError) as error:
        return bad(key, _("读不出来（{why}）").format(why=type(error).__name__), _("重新安装程序"))
    if language != SOURCE and not words:
        return bad(key, _("里面没有译文"), _("重新安装程序"))
    return good(key, _("源语言") if language == SOURCE else _("{count} 条译文").format(count=len(words)))


def _operator(settings: Settings) -> Iterator[Finding]:
    """Who is responsible stands in the privacy notice, and where people are told whom else to ask."""
    for key, value in (
        ("NUANYANG_OPERATOR_NAME", settings.operator_name),
        ("NUANYANG_OPERATOR_CONTACT", settings.operator_contact),
    ):
        if value:
            yield good(key, value)
        else:
            mend = _("写上负责的单位的名称和联系方式，隐私说明和找不到人的时候会用到")
            yield warn(key, _("没有设置：大家不知道是谁在负责"), mend)


def _public_url(settings: Settings) -> Iterator[Finding]:
    key, url = "NUANYANG_PUBLIC_URL", settings.public_url
    if not url:
        mend = _("设为平台能访问到的地址，如 https://bot.example.org")
        yield warn(key, _("没有设置：一次性网页发不出去，Telegram 的 webhook 也不会自动设置"), mend)
        return
    if urlsplit(url).scheme != "https" and not is_loopback(urlsplit(url).netloc):
        yield bad(key, _("不是 https 地址，个人信息会明文传输"), _("在前面放一个有证书的反向代理，改成 https 地址"))
        return
    yield good(key, url)


# Spool


def _spool(folder: Path) -> Iterator[Finding]:
    key = "NUANYANG_SPOOL"
    try:
        preflight.check_spool(folder)
    except UnsafeSetting as error:
        yield bad(key, error.problem)
        return
    free = shutil.disk_usage(folder).free
    room = _("可写；剩余 {free} MB").format(free=free // 1_048_576)
    yield good(key, room) if free >= LEAST_FREE else bad(key, room, _("腾出磁盘空间，或换一个文件夹"))
    yield from _aside(folder)
    waiting = _times(folder, "*.update")
    if not waiting:
        yield good(key, _("没有等待处理的消息"))
        return
    age = max(0, int(time.time() - min(waiting)))
    told = _("{count} 条消息在等待处理，最早的等了 {minutes} 分钟").format(count=len(waiting), minutes=age // 60)
    mend = _("看 nuanyang serve 是否在运行、数据库是否正常、密钥是否齐全")
    yield bad(key, told, mend) if age > OLD_SPOOL else warn(key, told, mend)


def _aside(folder: Path) -> Iterator[Finding]:
    """What could not become a turn, and is kept for somebody to look at."""
    aside = _times(folder, "*.aside")
    if not aside:
        return
    days = max(0, int(time.time() - min(aside))) // 86_400
    told = _("{count} 条消息处理不了，放在一边（*.aside），最早的放了 {days} 天").format(count=len(aside), days=days)
    mend = _("看日志里的 spool_file_set_aside；修好后把文件名改回 .update 就会再试，{days} 天后自动删除")
    yield warn("NUANYANG_SPOOL", told, mend.format(days=rules().messages.retention_days))


def _times(folder: Path, pattern: str) -> list[float]:
    """When the files were last written; one that goes meanwhile is left out."""
    found = []
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):
            found.append(path.stat().st_mtime)
    return found


# Database and keys


def _data(settings: Settings) -> Iterator[Finding]:
    if settings.keys:
        vault = Vault(settings.key_bytes())
    else:
        # check_settings has said that keys are missing; the database can be looked at without.
        vault = Vault([os.urandom(32)])
    try:
        database = connect(settings, vault)
    except UnsafeSetting as error:
        yield bad(error.key, error.problem)
        return
    try:
        yield from _database(database, has_keys=bool(settings.keys))
    except DatabaseAway as error:
        told = _("连不上（{why}）").format(why=error)
        yield bad("NUANYANG_DATABASE_URL", told, _("检查地址、密码和数据库是否在运行"))
    finally:
        database.dispose()


def _database(database: Database, *, has_keys: bool) -> Iterator[Finding]:
    key = "NUANYANG_DATABASE_URL"
    try:
        refuse_missing_file(database)
        refuse_old(database)
    except Problem as problem:
        yield bad(key, str(problem))
        return
    yield good(key, _("能连上，结构是最新的（{head}）").format(head=migrate.head()))
    differences = migrate.differences(database)
    if differences:
        yield bad(key, _("结构被改动过：{what}").format(what="; ".join(differences[:3])), _("恢复备份或联系维护者"))
    yield from _sqlite_file(database) if database.is_sqlite else _server_clock(database)
    with database.read() as session:
        moved = moved_by(session)
        has_organiser = bool(organisers(session))
    if moved:
        days = round(moved.total_seconds() / 86_400, 1)
        yield bad(key, _("时钟被沙盒拨快了 {days} 天").format(days=days), _("正式服务换一个没有拨过时钟的数据库"))
    else:
        yield good(key, _("项目时钟没有被拨动"))
    if not has_organiser:
        mend = _("请第一位管理员注册后，运行 nuanyang grant 编号 organiser --region 代码 --first")
        yield warn("nuanyang grant", _("还没有管理员，求助和留言没有人收"), mend)
    if has_keys:
        yield from _keys(database)


def _sqlite_file(database: Database) -> Iterator[Finding]:
    key, name = "NUANYANG_DATABASE_URL", database.url.database
    if not name:
        yield bad(key, _("没有文件名，数据会随程序结束而消失"), _("写成 sqlite:///nuanyang.db"))
        return
    path = Path(name)
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        yield bad(key, _("{path} 或它的文件夹不能写").format(path=path), _("改它的权限"))
    free = shutil.disk_usage(path.parent).free
    if free < LEAST_FREE:
        yield bad(key, _("数据库所在磁盘只剩 {free} MB").format(free=free // 1_048_576), _("腾出空间"))
    if stat.S_IMODE(path.stat().st_mode) & 0o007:
        mend = _("运行 chmod 600 {path}").format(path=path)
        yield warn(key, _("数据库文件任何人都能读"), mend)


def _server_clock(database: Database) -> Iterator[Finding]:
    with database.read() as session:
        theirs: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    yield doctor_calls.clock(_("数据库服务器"), (theirs - datetime.now(UTC)).total_seconds())


def _keys(database: Database) -> Iterator[Finding]:
    key = "NUANYANG_KEYS"
    used = rotation.uses(database)
    for use in used:
        if not use.known and use.sealed:
            told = _("缺少密钥 {id}：有 {count} 处数据打不开").format(id=use.key_id, count=use.sealed)
            yield bad(key, told, _("从备份把它补到 NUANYANG_KEYS 后面"))
        elif use.newest:
            yield good(key, _("密钥 {id} 在用，加密了 {count} 处").format(id=use.key_id, count=use.sealed))
        elif use.known and (use.sealed or use.missing):
            told = _("旧密钥 {id} 还加密着 {count} 处").format(id=use.key_id, count=use.sealed)
            yield warn(key, told, _("运行 nuanyang keys rotate"))
        elif use.known and not use.needed:
            yield warn(key, _("旧密钥 {id} 已经不用").format(id=use.key_id), _("可以从 NUANYANG_KEYS 删去"))
    if keys.is_backed_up(database):
        yield good(key, _("已确认有备份"))
    else:
        told = _("没有确认过备份；密钥丢了，加密的数据就永远打不开")
        yield warn(key, told, _("把 NUANYANG_KEYS 存到另一个安全的地方，再运行 nuanyang keys backed-up"))

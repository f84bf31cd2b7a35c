"""What `serve` and `worker` refuse to start with. Each refusal is one line that names the setting."""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bot.commands.shared import Problem, refuse_missing_file, refuse_old
from config.settings import Settings, UnsafeSetting
from config.texts import _
from models.clock import moved_by
from models.database import Database, DatabaseAway
from models.rotation import unknown_keys

_LOCAL_SUFFIXES = ("localhost", "local", "internal", "lan", "test", "invalid")
SANDBOX_PATHS = ("/sandbox/wechat-api", "/sandbox/wechat-pages", "/sandbox/telegram-api")


def check_settings(settings: Settings) -> None:
    """What can be told without touching anything. Raises UnsafeSetting."""
    for problem in unsafe(settings):
        raise problem


def unsafe(settings: Settings) -> Iterator[UnsafeSetting]:
    """Everything about the settings that is missing or unsafe for a service."""
    if not settings.keys:
        yield UnsafeSetting("NUANYANG_KEYS", _("还没有设置；用 nuanyang keys new 生成一个，并妥善备份"))
    if not settings.wechat and not settings.telegram:
        yield UnsafeSetting(
            "NUANYANG_WECHAT__<NAME>__APPID",
            _("一个账号也没有：设置一个公众号，或用 NUANYANG_TELEGRAM__<NAME>__TOKEN 设置一个 Telegram 机器人"),
        )
    if settings.public_url.startswith("http://") and _is_public(urlsplit(settings.public_url).hostname or ""):
        yield UnsafeSetting("NUANYANG_PUBLIC_URL", _("一次性网页会显示个人资料，要用 https:// 开头的地址"))
    for name, telegram in settings.telegram.items():
        if telegram.mode == "webhook" and telegram.secret_token is None:
            yield UnsafeSetting(
                setting("telegram", name, "SECRET_TOKEN"),
                _("webhook 方式必须设置它，否则谁都能冒充 Telegram；也可以把 MODE 设为 polling"),
            )
    for kind, accounts in (("wechat", settings.wechat), ("telegram", settings.telegram)):
        for name, account in accounts.items():
            if is_sandbox(account.api_base):
                yield UnsafeSetting(setting(kind, name, "API_BASE"), _("还指着沙盒：删掉它，就会用官方地址"))
    for name, wechat in settings.wechat.items():
        if is_sandbox(wechat.page_base):
            yield UnsafeSetting(setting("wechat", name, "PAGE_BASE"), _("还指着沙盒：删掉它，就会用官方地址"))


def setting(kind: str, name: str, field: str) -> str:
    """The environment's name of one setting of an account."""
    return f"NUANYANG_{kind.upper()}__{name.upper()}__{field}"


def is_sandbox(api_base: str) -> bool:
    """Whether an API_BASE or PAGE_BASE is one of `nuanyang run`."""
    return urlsplit(api_base).path.rstrip("/").endswith(SANDBOX_PATHS)


def _is_public(host: str) -> bool:
    """Whether a host lies outside this machine and its own network."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and host.rsplit(".", 1)[-1].lower() not in _LOCAL_SUFFIXES


def check_spool(folder: Path) -> None:
    """Write, sync and remove a file, as the spool will. Raises UnsafeSetting."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f"{secrets.token_hex(8)}.probe"
        with probe.open("xb") as file:
            file.write(b"probe")
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UnsafeSetting(
            "NUANYANG_SPOOL", _("文件夹 {path} 写不进去（{why}）；换一个，或改它的权限").format(path=folder, why=why)
        ) from None


def check_database(database: Database) -> None:
    """Reachable, at this program's revision, readable with these keys, and on real time. Raises UnsafeSetting,
    Problem or DatabaseAway."""
    try:
        refuse_missing_file(database)
        refuse_old(database)
    except DatabaseAway as error:
        raise UnsafeSetting(
            "NUANYANG_DATABASE_URL", _("数据库连不上（{why}）；检查地址、密码和它是否在运行").format(why=error)
        ) from None
    check_keys(database)
    with database.read() as session:
        moved = moved_by(session)
    if moved:
        raise Problem(
            _("NUANYANG_DATABASE_URL：这个数据库的时钟被沙盒拨快了 {days} 天，不能正式服务；换一个数据库。").format(
                days=round(moved.total_seconds() / 86_400, 1)
            )
        )


def check_keys(database: Database) -> None:
    """Raise UnsafeSetting when the database was written with keys that are not in the ring."""
    unknown = unknown_keys(database)
    if unknown:
        lacking = _("缺少加密过现有数据的密钥（编号 {ids}）；从备份补上")
        raise UnsafeSetting("NUANYANG_KEYS", lacking.format(ids=_("、").join(sorted(unknown))))

"""What `nuanyang doctor` asks of the platforms: are they reachable, do they take our secrets, is our clock right."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import quote

import aiohttp

from bot.preflight import setting
from config.settings import Settings, TelegramAccount, WeChatAccount
from config.texts import N_, _

CALL_SECONDS = 6.0
SKEW_WARN, SKEW_BAD = 30.0, 240.0  # WeChat's calls are taken for 300 s (platforms.md)

WECHAT_CODES = {
    40001: N_("AppSecret 不对：在公众平台“基本配置”核对，改 SECRET"),
    40002: N_("请求被拒绝：核对 APPID 和 API_BASE"),
    40013: N_("APPID 不对：在公众平台“基本配置”核对"),
    40125: N_("AppSecret 不对或已重置：在公众平台“基本配置”重新获取，改 SECRET"),
    40164: N_("本机的出口 IP 不在白名单：在公众平台“基本配置 → IP 白名单”加上它"),
    40243: N_("AppSecret 已被冻结：在公众平台解冻"),
    41002: N_("缺少 APPID"),
    41004: N_("缺少 SECRET"),
    45009: N_("今天的调用次数用完了：明天再试"),
    45011: N_("调用太频繁：一分钟后再试"),
    50002: N_("账号受限：登录公众平台处理"),
    50007: N_("账号已冻结：登录公众平台处理"),
    89503: N_("这次调用要管理员确认：看管理员微信里的通知"),
    89506: N_("管理员 24 小时内拒绝过这个 IP：请管理员同意"),
    89507: N_("管理员 1 小时内拒绝过这个 IP：请管理员同意"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `mend` says what to do, empty when there is nothing to do."""

    level: Literal["good", "warn", "bad"]
    key: str
    text: str
    mend: str = ""


def good(key: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding("good", key, text)


def warn(key: str, text: str, mend: str = "") -> Finding:
    """Works, but not well."""
    return Finding("warn", key, text, mend)


def bad(key: str, text: str, mend: str = "") -> Finding:
    """Does not work, or is unsafe."""
    return Finding("bad", key, text, mend)


def clock(who: str, seconds: float) -> Finding:
    """Judge how far somebody else's clock is ahead of ours."""
    told = _("与{who}相差 {seconds} 秒").format(who=who, seconds=round(abs(seconds)))
    mend = _("打开时间同步（NTP）；相差太多时微信消息会被当作过期拒收")
    if abs(seconds) >= SKEW_BAD:
        return bad(_("本机时钟"), told, mend)
    return warn(_("本机时钟"), told, mend) if abs(seconds) >= SKEW_WARN else good(_("本机时钟"), told)


async def examine(settings: Settings) -> list[Finding]:
    """Ask all endpoints, side by side."""
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True, cookie_jar=aiohttp.DummyCookieJar()) as http:
        work = [_wechat(http, name, account) for name, account in settings.wechat.items()]
        work += [_telegram(http, settings, name, account) for name, account in settings.telegram.items()]
        if settings.public_url:
            work.append(_public(http, settings.public_url))
        return [finding for found in await asyncio.gather(*work) for finding in found]


@dataclass(frozen=True, slots=True)
class _Answer:
    """`skew` is how far their clock is ahead of ours in seconds, where they said the time. `problem` = no answer."""

    status: int = 0
    data: Any = None
    skew: float | None = None
    problem: str = ""


async def _ask(http: aiohttp.ClientSession, method: str, url: str, body: Any = None) -> _Answer:
    try:
        async with http.request(method, url, json=body, allow_redirects=False) as response:
            raw = await response.content.read(1 << 16)
            said = response.headers.get("Date", "")
            status = response.status
    except TimeoutError:
        return _Answer(problem=_("{seconds} 秒内没有回答").format(seconds=round(CALL_SECONDS)))
    except aiohttp.ClientConnectorDNSError:
        return _Answer(problem=_("域名解析不了"))
    except aiohttp.ClientSSLError:
        return _Answer(problem=_("证书不被信任"))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # The class only: the text may repeat the address, and with it a token.
        return _Answer(problem=_("连不上（{why}）").format(why=type(error).__name__))
    return _Answer(status, _json(raw), _skew(said))


def _json(raw: bytes) -> Any:
    import json

    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _skew(said: str) -> float | None:
    try:
        theirs = parsedate_to_datetime(said)
    except ValueError:
        return None
    return (theirs.astimezone(UTC) - datetime.now(UTC)).total_seconds()


async def _wechat(http: aiohttp.ClientSession, name: str, account: WeChatAccount) -> list[Finding]:
    base = setting("wechat", name, "API_BASE")
    body = {
        "grant_type": "client_credential",
        "appid": account.appid,
        "secret": account.secret.get_secret_value(),
        "force_refresh": False,  # gives the token in use, so that nobody else's stops working
    }
    answer = await _ask(http, "POST", f"{account.api_base}/cgi-bin/stable_token", body)
    found = [*_reached(base, account.api_base, answer), *_wechat_token(name, answer)]
    token = answer.data.get("access_token") if isinstance(answer.data, dict) else None
    if account.templates and isinstance(token, str):
        url = f"{account.api_base}/cgi-bin/template/get_all_private_template?access_token={quote(token)}"
        found += _wechat_templates(name, account, await _ask(http, "GET", url))
    return found


def _wechat_templates(name: str, account: WeChatAccount, answer: _Answer) -> Iterator[Finding]:
    """Whether the account has these templates, with these fields."""
    key = setting("wechat", name, "TEMPLATES")
    rows = answer.data.get("template_list") if isinstance(answer.data, dict) else None
    if not isinstance(rows, list):
        return  # what is wrong with the account or the way to it has been told
    known = {str(row.get("template_id")): str(row.get("content", "")) for row in rows if isinstance(row, dict)}
    for card, template in account.templates.items():
        content = known.get(template.id)
        if content is None:
            told = _("“{card}”的模板 {id} 不在公众平台的模板库里").format(card=card, id=template.id)
            yield bad(key, told, _("核对模板 ID：公众平台“广告与服务 → 模板消息”"))
            continue
        for field in template.fields.values():
            if content and f"{{{{{field}.DATA}}}}" not in content:
                told = _("“{card}”的模板里没有字段 {field}").format(card=card, field=field)
                yield bad(key, told, _("核对字段名：公众平台里模板的“详情”"))


def _reached(key: str, base: str, answer: _Answer) -> Iterator[Finding]:
    if answer.problem:
        yield bad(
            key, _("{item}：{value}").format(item=base, value=answer.problem), _("检查网络、防火墙、代理和这个地址")
        )
        return
    yield good(key, _("{base} 能访问").format(base=base))
    if answer.skew is not None:
        yield clock(base, answer.skew)


def _wechat_token(name: str, answer: _Answer) -> Iterator[Finding]:
    key = setting("wechat", name, "SECRET")
    if answer.problem:
        return
    data = answer.data if isinstance(answer.data, dict) else {}
    code = data.get("errcode", 0)
    if data.get("access_token"):
        yield good(key, _("能取到 access_token"))
    elif isinstance(code, int) and code:
        meaning = _(WECHAT_CODES[code]) if code in WECHAT_CODES else _("在微信的全局返回码里查这个数字")
        yield bad(key, _("微信不给 access_token，errcode {code}").format(code=code), meaning)
    else:
        told = _("回答不是微信的（HTTP {status}）").format(status=answer.status)
        yield bad(setting("wechat", name, "API_BASE"), told, _("核对 API_BASE，或中间的代理"))


async def _telegram(
    http: aiohttp.ClientSession, settings: Settings, name: str, account: TelegramAccount
) -> list[Finding]:
    base = f"{account.api_base}/bot{account.token.get_secret_value()}"
    me, hook = await asyncio.gather(_ask(http, "GET", f"{base}/getMe"), _ask(http, "GET", f"{base}/getWebhookInfo"))
    found = list(_reached(setting("telegram", name, "API_BASE"), account.api_base, me))
    key = setting("telegram", name, "TOKEN")
    if me.problem:
        return found
    bot = _result(me)
    if bot is None:
        told = _("Telegram 不认这个 token（HTTP {status}）").format(status=me.status)
        return [*found, bad(key, told, _("在 BotFather 里核对，改 TOKEN"))]
    found.append(good(key, _("机器人 @{name}").format(name=bot.get("username", "?"))))
    info = _result(hook)
    return [*found, *_webhook(settings, name, account, info)] if info is not None else found


def _webhook(settings: Settings, name: str, account: TelegramAccount, info: dict[str, Any]) -> Iterator[Finding]:
    key, url = setting("telegram", name, "MODE"), str(info.get("url", ""))
    wanted = f"{settings.public_url}/telegram/{name}"
    if account.mode == "polling":
        if url:
            yield warn(key, _("Telegram 那边还设着 webhook"), _("启动 nuanyang serve 时会自动取消"))
        else:
            yield good(key, _("长轮询"))
        return
    if url != wanted:
        shown = _("没有设置") if not url else _("指向别处")
        yield warn(key, _("webhook {shown}").format(shown=shown), _("启动 nuanyang serve 时会自动设为公开地址"))
    else:
        yield good(key, _("webhook 指向 {url}").format(url=wanted))
    pending = info.get("pending_update_count", 0)
    if isinstance(pending, int) and pending > 100:
        yield warn(key, _("有 {count} 条更新在 Telegram 排队").format(count=pending), _("看 serve 是否在运行"))
    failed = info.get("last_error_date", 0)
    if isinstance(failed, int) and datetime.now(UTC).timestamp() - failed < 3600:
        told = _("Telegram 一小时内投递失败过：{why}").format(why=str(info.get("last_error_message", ""))[:120])
        yield warn(key, told, _("看 NUANYANG_PUBLIC_URL 从外面能不能访问，证书是否有效"))


def _result(answer: _Answer) -> dict[str, Any] | None:
    data = answer.data if isinstance(answer.data, dict) else {}
    result = data.get("result")
    return result if data.get("ok") is True and isinstance(result, dict) else None


async def _public(http: aiohttp.ClientSession, url: str) -> list[Finding]:
    key = "NUANYANG_PUBLIC_URL"
    answer = await _ask(http, "GET", f"{url}/healthz")
    mend = _("如果 serve 没有运行，先启动它；否则检查反向代理、证书和防火墙")
    if answer.problem:
        return [warn(key, _("从这里访问不到：{why}").format(why=answer.problem), mend)]
    if not isinstance(answer.data, dict) or answer.data.get("alive") is not True:
        return [warn(key, _("回答的不是暖阳（HTTP {status}）").format(status=answer.status), mend)]
    return [good(key, _("能访问到正在运行的暖阳"))]

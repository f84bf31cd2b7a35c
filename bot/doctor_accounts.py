"""What `nuanyang doctor` makes of each account's settings: secrets, addresses, cards, and how fast it may send."""

from __future__ import annotations

import math
from collections.abc import Iterator
from urllib.parse import urlsplit

from bot import preflight
from bot.doctor_calls import Finding, bad, good, warn
from bot.loopback import is_loopback
from config.cards import CARDS
from config.settings import Settings, TelegramAccount, WeChatAccount
from config.texts import _

LEAST_SECRET, LEAST_DIFFERENT = 16, 8  # characters of a secret
TELEGRAM_SECOND = 30.0  # messages a second that Telegram takes of a bot without paid broadcasts
CALL_SECONDS = 0.1  # what a quick call takes: fewer of them at once never reach the rate


def examine(settings: Settings) -> Iterator[Finding]:
    """What is wrong with the settings of the accounts, as far as can be told without asking anybody."""
    for error in preflight.unsafe(settings):
        yield bad(error.key, error.problem)
    for name, wechat in settings.wechat.items():
        key = preflight.setting("wechat", name, "ENCODING_AES_KEY")
        value = wechat.encoding_aes_key.get_secret_value()
        if len(set(value)) < 8:
            yield bad(key, _("看起来是示例，不是真的密钥"), _("在公众平台“基本配置”里随机生成，再填到这里"))
        else:
            told = _("写法正确；是否与公众平台一致，要收到第一条消息才知道（不一致时日志里有 reason=aes 之类的拒收）")
            yield good(key, told)
        if wechat.previous_aes_key is not None and wechat.previous_aes_key.get_secret_value() == value:
            mend = _("换钥匙时才需要它，平时删掉")
            yield warn(preflight.setting("wechat", name, "PREVIOUS_AES_KEY"), _("和现在的密钥相同"), mend)
        yield from _in_clear("wechat", name, wechat.api_base)
        yield _templates(name, wechat)
        yield _subscriptions(name, wechat)
        yield _once(name, wechat, settings.public_url)
        yield from _pace("wechat", name, wechat.sends_a_second, wechat.sends_at_once)
    for name, telegram in settings.telegram.items():
        yield from _weak_secret(name, telegram)
        yield from _in_clear("telegram", name, telegram.api_base)
        yield from _pace("telegram", name, telegram.sends_a_second, telegram.sends_at_once, TELEGRAM_SECOND)


def _templates(name: str, account: WeChatAccount) -> Finding:
    """Without templates nothing reaches whoever has not written for two days."""
    key = preflight.setting("wechat", name, "TEMPLATES")
    without = [card for card in CARDS if card not in account.templates and card not in account.subscriptions]
    if not without:
        return good(key, _("{count} 种卡片都有模板").format(count=len(CARDS)))
    told = _("没有这些卡片的模板：{cards}；两天没说话的人，这些消息只能等，或打电话").format(
        cards=_("、").join(without)
    )
    return warn(key, told, _("在公众平台申请模板，写法见 docs/operating.md 的 Templates 一节"))


def _subscriptions(name: str, account: WeChatAccount) -> Finding:
    """A way beside templates: good to have, and nothing is missing without it."""
    key = preflight.setting("wechat", name, "SUBSCRIPTIONS")
    if not account.subscriptions:
        return good(key, _("没有设置：不用订阅通知，走模板消息"))
    told = _("{count} 种卡片有订阅通知，要对方先在文章或页面里订阅").format(count=len(account.subscriptions))
    return good(key, told)


def _once(name: str, account: WeChatAccount, public_url: str) -> Finding:
    """Whoever allows a 一次性订阅消息 comes by a page of ours and goes back to one."""
    key = preflight.setting("wechat", name, "ONCE")
    if account.once is None:
        return good(key, _("没有设置：大家不能“开通提醒”"))
    if not public_url:
        mend = _("设置 NUANYANG_PUBLIC_URL，或删掉 ONCE")
        return bad(key, _("没有公开地址，没有人能“开通提醒”：微信要把人送回我们的网页"), mend)
    parts = urlsplit(public_url)
    if parts.path.strip("/"):
        mend = _("把 NUANYANG_PUBLIC_URL 改成不带路径的地址")
        return warn(key, _("公开地址带路径：微信的业务域名不能带，请确认“开通提醒”能用"), mend)
    told = _("大家可以“开通提醒”；公众平台“业务域名”里要有 {host}").format(host=parts.hostname or "")
    return good(key, told)


def _pace(kind: str, name: str, a_second: float, at_once: int, most: float = 0.0) -> Iterator[Finding]:
    """How fast the account sends by itself; `most` = what the platform takes a second, zero = not known."""
    key = preflight.setting(kind, name, "SENDS_A_SECOND")
    rate = f"{a_second:g}"
    if a_second == 0:
        mend = _("删掉它，用默认值；0 只用于测试和付费群发")
        yield warn(key, _("没有限制，平台会拒收，甚至停用账号"), mend)
    elif most and a_second > most:
        told = _("每秒 {rate} 条，多于平台允许的 {most} 条").format(rate=rate, most=f"{most:g}")
        yield warn(key, told, _("改成 {most} 或更少；只有付费群发的账号能更多").format(most=f"{most:g}"))
    else:
        yield good(key, _("每秒最多 {rate} 条").format(rate=rate))
    key = preflight.setting(kind, name, "SENDS_AT_ONCE")
    if a_second * CALL_SECONDS > at_once:
        told = _("同时 {count} 个调用太少，到不了每秒 {rate} 条").format(count=at_once, rate=rate)
        least = math.ceil(a_second * CALL_SECONDS)
        yield warn(key, told, _("改成 {least} 或更多，或把 SENDS_A_SECOND 改小").format(least=least))
    else:
        yield good(key, _("同时最多 {count} 个调用").format(count=at_once))


def _weak_secret(name: str, account: TelegramAccount) -> Iterator[Finding]:
    """Whoever guesses it can speak as Telegram."""
    value = account.secret_token.get_secret_value() if account.secret_token else ""
    if account.mode == "webhook" and value and (len(value) < LEAST_SECRET or len(set(value)) < LEAST_DIFFERENT):
        mend = _("换成随机的一串，例如运行 openssl rand -hex 32 得到的")
        yield warn(preflight.setting("telegram", name, "SECRET_TOKEN"), _("太短或太简单，容易被猜到"), mend)


def _in_clear(kind: str, name: str, api_base: str) -> Iterator[Finding]:
    parts = urlsplit(api_base)
    if parts.scheme == "http" and not is_loopback(parts.netloc):
        told = _("不是 https 地址，token 和消息会明文传输")
        yield warn(preflight.setting(kind, name, "API_BASE"), told, _("改成 https 地址，或删掉它用官方地址"))

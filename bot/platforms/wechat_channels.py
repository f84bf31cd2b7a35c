"""WeChat's ways to a person besides 客服 messages: they carry no words, only a card in the fields of a template."""

from __future__ import annotations

from bot.platforms import wechat_once
from bot.platforms.base import Outcome
from bot.platforms.wechat_api import WeChatApi
from config.cards import CARDS, Template
from config.catalogue import rules
from config.settings import WeChatAccount
from config.texts import _, speaking
from handlers.cards import Card
from handlers.message import Reply
from models.channel import Channel

CUSTOM, ONCE, SUBSCRIPTION, TEMPLATE = "custom", "once", "subscription", "template"
CARRY_CARDS = (ONCE, SUBSCRIPTION, TEMPLATE)

# The account may not use this channel. (-1, a full minute and a token that is refused concern the whole account,
# whichever channel meets them.)
_NO_RIGHT = frozenset({"48001", "48004", "50002"})


def channels_of(settings: WeChatAccount) -> tuple[Channel, ...]:
    """The ways of this account, in the order of platforms.md; those that are not set up are named too, so that they can
    be told as passed over."""
    limits = rules().channels
    scene = {card: str(settings.once.scene) for card in CARDS} if settings.once is not None else {}
    asks = wechat_once.asks(settings.appid, settings.once, settings.page_base)
    return (
        Channel(CUSTOM, windowed=True, daily=limits.custom_daily),
        Channel(ONCE, cards=scene, granted=True, asks=asks),
        Channel(SUBSCRIPTION, cards=_ids(settings.subscriptions), granted=True),
        Channel(TEMPLATE, cards=_ids(settings.templates), keyed=True, daily=limits.template_daily),
    )


def _ids(templates: dict[str, Template]) -> dict[str, str]:
    return {card: template.id for card, template in templates.items()}


async def send_card(
    api: WeChatApi, settings: WeChatAccount, channel: str, openid: str, reply: Reply, *, key: str, deadline: float
) -> Outcome:
    """The reply's card by this channel. A template is sent once under the same key within ten minutes, whatever became
    of the call before."""
    card = reply.card
    if card is None:
        return Outcome("closed", "card")
    with speaking(reply.language):
        if channel == ONCE:
            return await _once(api, settings, openid, card, deadline)
        template = (settings.templates if channel == TEMPLATE else settings.subscriptions).get(card.name)
        if template is None:
            return Outcome("closed", "template")
        fields = {theirs: card.field(ours, theirs) for ours, theirs in template.fields.items()}
    if channel == TEMPLATE:
        answer = await api.template_send(
            openid, template.id, fields, client_msg_id=key, url=card.url, deadline=deadline
        )
    else:
        answer = await api.bizsend(openid, template.id, fields, page=card.url, deadline=deadline)
    return _of_channel(answer.outcome)


async def _once(api: WeChatApi, settings: WeChatAccount, openid: str, card: Card, deadline: float) -> Outcome:
    if settings.once is None:
        return Outcome("closed", "template")
    text = _("{item}：{value}").format(item=card.time(), value=card.thing())
    answer = await api.template_subscribe(
        openid,
        settings.once.id,
        scene=settings.once.scene,
        title=card.state()[:15],
        text=text,
        url=card.url,
        deadline=deadline,
    )
    return _of_channel(answer.outcome)


def _of_channel(outcome: Outcome) -> Outcome:
    """What a refusal means where other ways remain: this channel is closed, the account and the message are not."""
    if outcome.name == "refused" or outcome.code in _NO_RIGHT:
        return Outcome("closed", outcome.code)
    return outcome

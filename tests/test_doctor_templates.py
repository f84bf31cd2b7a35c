"""What `nuanyang doctor` finds about the templates of an Official Account."""

from __future__ import annotations

import json

from bot import doctor
from config.cards import CARDS
from tests.checkup import Configure, Played, of
from tests.checkup import configure as configure
from tests.checkup import played as played

KEY = "NUANYANG_WECHAT__GD__TEMPLATES"
FIELDS = {"state": "phrase1", "thing": "thing2"}


def set_up(*cards: str) -> str:
    return json.dumps({card: {"id": f"T-{card}", "fields": FIELDS} for card in cards})


async def test_an_account_without_templates_is_told_what_that_means(configure: Configure, played: Played) -> None:
    (found,) = of(await doctor.examine(), KEY, "warn")
    assert all(card in found.text for card in CARDS) and "docs/operating.md" in found.mend


async def test_a_template_that_cannot_be_right_is_named(configure: Configure, played: Played) -> None:
    configure(**{KEY: '{"message": {"id": "T", "fields": {"remark": "remark"}}}'})
    (found,) = of(await doctor.examine(), KEY)
    assert "remark" in found.text


async def test_templates_are_compared_with_those_of_the_account(configure: Configure, played: Played) -> None:
    configure(**{KEY: set_up(*CARDS)})
    played.templates = [
        {"template_id": f"T-{card}", "content": "状态：{{phrase1.DATA}}\\n事项：{{thing2.DATA}}"} for card in CARDS
    ]
    findings = await doctor.examine()
    assert of(findings, KEY) == [] and len(of(findings, KEY, "good")) == 1
    played.templates[0]["content"] = "状态：{{phrase1.DATA}}"
    del played.templates[1]
    told = [finding.text for finding in of(await doctor.examine(), KEY)]
    assert told == [f"“{CARDS[0]}”的模板里没有字段 thing2", f"“{CARDS[1]}”的模板 T-{CARDS[1]} 不在公众平台的模板库里"]

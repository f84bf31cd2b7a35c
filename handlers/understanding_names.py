"""Whom a told service was for, as it is written: a form of address that the volunteer knows, or what looks like one."""

from __future__ import annotations

import re

from handlers.understanding_text import TAKEN, Sentence

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎"
    "贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂苗谷盛曲翁冉骆蓝游辛"
    "欧麦区岑冼简甄招邝劳霍屈卓翁古"
)
_TITLE = (
    "大?姐姐|大?哥哥|叔叔|阿姨|婶婶|伯伯|伯母|奶奶|爷爷|婆婆|公公|老师|老伯|老太太|老太|老爷爷|老爷子|老奶奶|先生|女士|太太|小姐|同学|师傅|妹妹|弟弟|姑娘|大爷|大妈|大娘|大叔"
    "|大婶|大伯|大哥|大姐|大嫂|小妹|小弟|婆|姨|婶|叔|伯|姐|哥|嫂|爷|妈|娘|奶|太|生|公|妹|弟|仔|老|孃孃|嬢嬢|孃|嬢|姆|婶娘|阿婆|阿公|阿伯"
)
_NOT_SMALL = "时组区学孩朋伙声心吃说事店镇村城中班队卖型半儿便路休睡坐木摊费票包姐们子腿手刀车狗猫花"  # 小时, 小组, …
_NOT_AH = "姨婆公妈爸伯叔爷奶们拉里Q"
_AFTER_VERB = "陪|给|教|帮|带|为|替|同|辅导|照顾|照看|照料|看望|探望|探访|慰问|接|送|跟|和|与|及|、|帮助|陪伴|陪同|推|扶|关于|对|探|睇|搀|搵|约|见|看"
_NEXT = (
    rf"(?=[{TAKEN}\s,，。;；、()和跟与及\-:：!！~]|$|做|写|补|练|上|画|去|逛|聊|康复|复康|功课|作业|家|屋|温|读|学|看|散|打|买|洗|唱|玩|走|理|剪|下|出|说|谈|搞|搬|收|执|煮|辅|训|倾|行|一起|一齐|了|英|数|语|识|认|心|面|改|找|讲|在|吃|弄|复|到|过|的|体|拿|取|晒|量|搭|坐)"
)
_STOP = frozenset(
    (
        *"孩子 老人 大家 同学 他们 她们 它们 爷爷 奶奶 婆婆 阿姨 叔叔 伯伯 村里 社区 学生 朋友 邻居 家里 一个 几个 两个 三个 盲人 我们 你们 自己 街坊 人家 东西 老师 妈妈 爸爸".split(),
        *"视障 听障 残疾 志愿 大爷 大妈 大叔 大婶 大伯 大姐 大哥 小孩 儿童 青年 少年 长者 老伯 病人 义工 队友 同事 队里 对象 家属 村民 居民 弟弟 妹妹 姐姐 哥哥 公公 婆婆 宝宝 一起 一下".split(),
        *"细路 学员 那个 这个 那位 一位 两位 几位 服务 作业 功课 康复 活动 物资 医院 公园 学校 图书 数学 英语 语文 手语 唱歌 画画 画图 写字 识字 认字 过来 过去 上门 回家 出门 大半 驿站 机构".split(),
        *"隔壁 对门 楼下 楼上 基地 家园 电脑 买菜 做饭 打扫 卫生 看病 走路 说话 站立 复诊 散步 聊天 下棋 跳舞 弹琴 拼音 阅读 学习 做操 病友 残友 盲校 特校 小朋 他家 她家 他做 她做 他去 她去 佢做 佢去 佢屋".split(),
        *"他写 她写 他练 她练 他补 她补 佢温 佢行 我去 我做 妈做 爸做 一家 这家 那家 他画 她画 他读 她读 他说 她说 大伙 街上 晚上 下午 上午 早上 中午 自闭 孤独 脑瘫 轮椅".split(),
    )
)
_FORMS = tuple(
    re.compile(pattern)
    for pattern in (
        # A whole name after a verb: 陪王小明做康复.
        rf"(?<=[陪给教帮带替同导顾看望接送跟和与及、助伴推扶见约])(?P<name>[{_SURNAMES}](?:小|阿|大)?(?!{_TITLE})[一-鿿]{{1,2}}?){_NEXT}",
        rf"(?P<name>[{_SURNAMES}]小?(?:{_TITLE}))(?!日|病|活|长)",
        rf"(?P<name>小(?![{_NOT_SMALL}])[一-鿿](?:仔|妹|姐|哥)?)",
        rf"(?P<name>阿(?![{_NOT_AH}])[一-鿿](?:仔|妹|婆|伯|叔)?)",
        rf"(?P<name>老[{_SURNAMES}])(?!师|板|太)",
        rf"(?:{_AFTER_VERB})(?P<name>(?![爷奶叔婆姐哥妹弟伯妈爸天慢常刚谈聊看走说试散宝乖坐])(?P<same>[一-鿿])(?P=same)){_NEXT}",
        rf"(?:{_AFTER_VERB})(?P<name>(?!细路)[一-鿿](?:仔|妹|伢|崽|姐|哥|叔|伯|姨|婆|嫂|爷)(?!妹|仔)){_NEXT}",
        rf"(?:陪|给|教|帮|带|替|辅导|照顾|看望|探望|同|陪伴|陪同)(?P<name>[一-鿿]{{2}}){_NEXT}",
    )
)
_ENGLISH_TITLE = r"(?:auntie|aunty|aunt|uncle|mr|mrs|ms|miss|grandma|grandpa|granny|sister|brother|teacher|xiao|ah|lao|madam|old)"
_ENGLISH_STOP = (
    r"(?!(?:the|a|an|my|his|her|their|our|some|two|three|four|one|several|kids?|children|homework|maths?|english|chinese|reading|people|him|them|"
    r"everyone|others?|disabled|blind|deaf|students?|friends?|rehab\w*|physio\w*|tutor\w*|cleaning|cooking|shopping|clean|cook|monday|tuesday|wednesday|"
    r"thursday|friday|saturday|sunday|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|last|this|and|or|to|for|from|about|at|in|on|it|"
    r"teach\w*|taught|deliver\w*|pack\w*|sort\w*|do|did|make|with|out|up|help\w*|visit\w*|see|walk|h|hr|hrs|hours?|min|mins|minutes?|pm|am|an?|reading|writing|school|hospital|park|"
    r"groceries|food|lunch|dinner|laundry|housework|over|around|community|families|elderly|seniors|residents|volunteers?|neighbou?rs?)\b)"
)
_ENGLISH = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![a-z])(?P<name>{_ENGLISH_TITLE}\.? (?!{TAKEN}){_ENGLISH_STOP}[a-z]+)",
        rf"(?<![a-z])(?:with|for|to see|see|help(?:ed|ing)?|visit(?:ed|ing)?|tutor(?:ed|ing)?|teach(?:ing)?|taught|took|taking|accompan(?:ied|ying)|saw"
        rf"|look(?:ed|ing) after|cared for|met|chatted with|to|bring|brought|teaching|and|drove|escorted)\s+{_ENGLISH_STOP}"
        r"(?P<name>[a-z]+(?-i:(?: [A-Z][a-z]+)?))(?='s|[\s,.;:!\x00]|$)",
        rf"(?:陪|给|教|帮|跟|同|带|和|探)\s*{_ENGLISH_STOP}(?P<name>[a-z]{{2,}}(?-i:(?: [A-Z][a-z]+)?))",
    )
)
_COMPANION = "(?:和|跟|同|与|with )"
_TOGETHER = re.compile(r"^(?:他|她)?(?:[、和跟]\w{1,3})?(?:一起|一块儿?|一齐|一同|两个人|两人|俩|仨)(?:去|到|来|在|给|帮|陪|教|探|看|为|照|上|做|搞|送|执|打扫)")


def names(said: Sentence, known: tuple[str, ...] = ()) -> list[str]:
    """Whom it was for, in order, as written. `known` are the forms of address of the volunteer's own pairings: these are
    found wherever they stand. Whoever came along (“和小王一起去看陈奶奶”) is left out where somebody else is named."""
    found: list[tuple[int, int]] = []
    rest = said.rest
    for form in sorted(known, key=len, reverse=True):
        plain = Sentence(form).plain
        at = rest.find(plain) if plain else -1
        if at >= 0:
            found.append((at, at + len(plain)))
            rest = rest[:at] + TAKEN * len(plain) + rest[at + len(plain) :]
    for pattern in (*_FORMS, *_ENGLISH):
        subject = _as_written(said, rest) if pattern in _ENGLISH else rest
        for match in pattern.finditer(subject):
            at, end = match.span("name")
            if TAKEN in rest[at:end] or rest[at:end] in _STOP or (pattern is _ENGLISH[1] and not _is_english(subject, match)):
                continue
            found.append((at, end))
            rest = rest[:at] + TAKEN * (end - at) + rest[end:]
    found.sort()
    for at, end in found:
        said.drop(at, end)
    served = [span for span in found if not _came_along(said, *span)]
    return list(dict.fromkeys(said.written[at:end].strip() for at, end in (served or found)))


def _as_written(said: Sentence, rest: str) -> str:
    return "".join(TAKEN if left == TAKEN else written for left, written in zip(rest, said.written, strict=True))


def _is_english(subject: str, match: re.Match[str]) -> bool:
    """A word after a verb is a name where it is written with a capital, or nothing in the message is."""
    name = match["name"]
    before = match.group()[: match.start("name") - match.start()].strip().casefold()
    if name[0].isupper():
        return True
    return before in ("with", "helped", "visited", "tutored", "taught", "accompanied") and not re.search("[A-Z]", subject)


def _came_along(said: Sentence, at: int, end: int) -> bool:
    before = said.plain[max(0, at - 5) : at]
    return bool(re.search(_COMPANION + "$", before)) and bool(_TOGETHER.match(said.plain[end : end + 12]))

"""What was done, by the words that people use for it; the first that is named counts. One table, pure."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.understanding_text import Sentence, compiled


@dataclass(frozen=True, slots=True)
class Did:
    at: int
    end: int
    content: str


# Longer words win over shorter ones that begin at the same place.
_WORDS: dict[str, str] = {
    "rehab": (
        r"康复|复康|按摩|推拿|理疗|复健|针灸|感统|言语训练|语言训练|口肌训?练?|发音训练|步态|肌力|平衡训练|行走训练|肢体训练|手部训练|精细动作"
        r"|(?:训练|练习?|学)(?:走路|站立|站起来|站|坐|抓握|行路|说话发音|发音|翻身|爬楼梯?|上下楼)|拉伸|拉筋|物理治疗|物理治療|职业治疗|言语治疗|做操|训练"
        r"|rehab\w*|physio\w*|therapy|exercises|stretching|massage"
    ),
    "employment": (
        r"就业|找工作?作|找活儿?|面试|简历|求职|招聘\w?会?|搵工|见工|职业(?:技能|培训|规划|指导)|技能培训|岗前|上岗|求职信|网店|开店|直播带货|摆摊"
        r"|(?:学|教).{0,3}(?:手艺|烘焙|电商|客服|装配|缝纫|编织卖)|电商|job\b|jobs\b|résumé|resume|\bcv\b|interview\w*|employment|vocational|career"
    ),
    "donation": (
        r"捐\w?|募捐|义卖|物资|爱心包|爱心物品|送(?:了)?(?:米|油|衣|棉|书|轮椅|温暖|被|年货|慰问品|礼包|玩具|文具|东西|袋)\w?"
        r"|派(?:米|饭盒|物资|福袋)|福袋|旧衣|慰问品|donat\w+|giving out|hand(?:ed|ing) out|supplies|food parcels?"
    ),
    "psychology": (
        r"心理\w{0,2}|谈心|聊天|聊聊|倾诉|疏导|开解|倾偈|倾计|倾下|倾吓|开导|谈话|陪聊|聊了|唠嗑|唠了|摆龙门阵|说说话|说话解闷|解闷|情绪|安慰|倾听"
        r"|counsel\w*|emotional|psycholog\w*|chat(?:ted|ting|s)?\b|talk(?:ed|ing)\b|listen(?:ed|ing)\b"
    ),
    "outing": (
        r"(?:去|逛|行|游|到|在)\w{0,4}公园|公园|散步|遛弯\w?|溜达|出去(?:走走|逛逛|转转|玩|透气)?|外出|郊游|春游|秋游|逛街|行街|出街|逛(?:超市|商场|书店|集|庙会)?"
        r"|赶集|赶场|晒太阳|动物园|博物馆|图书馆|科技馆|海边|爬山|行山|游玩|遛|踏青|植物园|放风筝|推轮椅|推.{0,4}出门|出门|转转|去玩|兜风"
        r"|outing|park\b|walk(?:ed|ing|s)?\b|stroll\w*|museum|zoo\b|trip\b|shopping|excursion|beach|hik\w+|went out"
    ),
    "culture": (
        r"看电影|电影|观影|唱歌|唱戏|画画|绘画|涂色|下棋|象棋|围棋|打球|踢球|篮球|羽毛球|乒乓球?|表演|演出|运动会|文艺\w?|文体\w{0,2}|文娱\w{0,2}|康体|手工\w?"
        r"|折纸|剪纸|音乐\w?|跳舞|舞蹈|太极|书法|吉他|弹琴|钢琴|联欢\w?|排练|游戏|玩牌|打牌|拼图|合唱|朗诵|读书会|运动|体育|健身|广场舞|电子琴|串珠|陶艺|做灯笼|包饺子|包粽子"
        r"|movie|film\b|sing(?:ing)?\b|sang\b|paint\w*|draw(?:ing)?\b|chess|games?\b|music\w*|danc\w+|craft\w*|sports?\b|basketball|badminton"
        r"|football|concert|choir|board games?|art\b|handicraft\w*"
    ),
    "teaching": (
        r"支教|助学|辅导(?!员)\w{0,2}|作业|补课|补习|上(?:了)?(?:堂|节|语文|数学|英语)?课|讲课|教学|授课|学习|识字|认字|写字|功课|英语|英文|数学|语文|听写|温书|温习|默书"
        r"|背书|背单词|课文|拼音|算术|复习|预习|做题|讲题|写作|阅读|读书|念书|教(?!会|育局|室)|学认|盲文|手语|识数|家教|课程|陪读|伴读"
        r"|tutor\w*|teach\w*|taught\b|homework|lessons?\b|class(?:es)?\b|maths?\b|english\b(?! corner)|reading\b|study\w*|studied|literacy|spelling"
    ),
    "visit": (
        r"探访|探望|看望|家访|走访|入户|上门看\w?|上门|慰问(?!品)|去看(?!病|电影|医生|戏|书)|看看(?:他|她|佢)?|看了看|睇下|睇吓|探(?!讨|索|路)|拜访"
        r"|visit(?:ed|ing|s)?\b|home visit|called on|dropped in|went to see|checked on|check(?:ing)? in on"
    ),
    "care": (
        r"打扫\w{0,2}|搞(?:了)?卫生|清洁|卫生|收拾|拾掇|执屋|执房|做(?:了)?(?:顿|个|晚|午|早|中)?饭|煮饭|煮(?:了)?\w{0,2}饭|煮(?:粥|汤|面)|烧饭|弄饭|炒菜|做菜|洗澡|冲凉|喂饭|喂药|买菜|买药"
        r"|拿药|取药|洗衣\w?|洗头|洗碗|洗被\w?|照顾|照料|照看|陪护|看护|护理|理发|剪发|剪头发|剪头|剪指甲|修脚|送餐|送饭|派饭|陪诊|看病|睇医生|睇病|医院|复诊|覆诊|体检|挂号"
        r"|换灯泡|修水管|修\w{1,3}|拖地|扫地|擦窗\w?|抹窗|晾衣\w?|代购|跑腿|家务|翻身拍背|铺床|换洗|晒被子?|砍柴|挑水|浇水|种菜|喂鸡|干活|日常照料|生活照料|看孩子|带孩子|喘息|陪床|值夜|守夜"
        r"|clean\w*|cook\w*|laundry|bath\w*|care\b|caring|feeding|haircut|groceries|grocery|chores|housework|hospital|clinic|doctor|meals?\b|tidy\w*|tidied"
        r"|dishes|errands?|respite|look(?:ed|ing) after"
    ),
}
_PATTERN = compiled("|".join(f"(?P<{content}>{words})" for content, words in _WORDS.items()))
# What only says with whom, or where, beside something clearer that was done there.
_WEAK = ("visit", "psychology")


def contents(said: Sentence) -> list[Did]:
    """What was done, in order, without repetitions."""
    found: list[Did] = []
    for match in _PATTERN.finditer(said.rest):
        content = match.lastgroup or ""
        if content not in [did.content for did in found]:
            found.append(Did(match.start(), match.end(), content))
    return found


def main(found: list[Did]) -> str:
    """The one that it is written down as: the first that is clearer than a visit or a chat; "none" without any."""
    clear = [did.content for did in found if did.content not in _WEAK]
    return (clear or [did.content for did in found] or ["none"])[0]


# Keys of services.toml that these words mean.
SERVICE = {
    "care": "care",
    "employment": "employment",
    "teaching": "study",
    "culture": "culture",
    "donation": "giving",
    "rehab": "rehabilitation",
    "psychology": "counselling",
    "outing": "inclusion",
    "visit": "care",
    "none": "",
}

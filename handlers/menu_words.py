"""The words that people say: what works everywhere, what begins a talk, what is only a nod. One table each, no code."""

from __future__ import annotations

import re

LONGEST_WISH = 40  # characters: a longer text tells something, and is not searched for what it may want
COMMAND_WORDS = {"menu": "menu", "help": "help", "cancel": "cancel", "back": "back", "enough": "enough"}
GLOBAL_WORDS = {
    "cancel": ("取消", "退出", "不填了", "算了", "结束", "結束", "cancel", "quit", "exit", "stop"),
    "enough": (
        "够了",
        "夠了",
        "夠喇",
        "enough",
        "先到这里",
        "先到這裡",
        "先到這裏",
        "先到呢度",
        "that's enough",
        "that’s enough",
        "enough for now",
        "stop here",
    ),
    "back": ("返回", "上一步", "上一题", "上一題", "back"),
    "menu": ("菜单", "菜單", "目录", "目錄", "主菜单", "主菜單", "選單", "主選單", "menu"),
    "help": ("帮助", "幫助", "怎么用", "怎樣用", "help", "?"),
}
WORD = {spelling: word for word, spellings in GLOBAL_WORDS.items() for spelling in spellings}

# Words that begin a talk, the first match wins: (pattern, entry, also in the middle of another talk).
INTENTS: tuple[tuple[re.Pattern[str], str, bool], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), key, always)
    for pattern, key, always in (
        (
            r"^(联系|找|搵|聯絡|聯繫)(专员|專員|人工|客服|真人|工作人员|工作人員)$|^contact( a person| us)?$",
            "contact",
            True,
        ),
        (r"^(紧急求助|緊急求助|sos|emergency( help)?)$", "sos", True),
        (r"^我很?担心|^我很?擔心|^i(['’]m| am) (very )?worried", "worried", True),
        (r"^(语言|語言|language)( language)?$", "language", True),
        (r"^(我的数据|我的數據|我的資料副本|my data)$", "my_data", True),
        (r"^(我的|my|me)$", "my", True),
        (
            r"^(导入|導入|匯入)(团队|團隊|专员|專員|项目专员|機構|机构|驿站|驛站|阵地|陣地)(表|名册|名冊)?$",
            "import_roster",
            False,
        ),
        (r"^((看|查看)?(等着的)?留言|messages)$", "messages", True),
        (r"^(撤回|收回)(刚才的|剛才的)?留言$|^take (it|my message) back$", "contact_undo", True),
        (r"^[补補]充留言$|^add something$", "contact_more", True),
        # Not in the middle of a talk: there it may be the button of what was just asked, or an answer.
        (r"^(回复|回覆|答复|答覆|消息|訊息|reply|answer|message|inbox)$", "messages", False),
        (r"(优先|優先|先用).{0,6}(渠道|微信|telegram)|preferred (channel|app)|which app", "preferred_door", False),
        (r"^(要打电话|要打電話)(的人)?$|^(people )?to call$|^call list$", "calls", False),
        (r"^(我的|我们的|我們的|看|查看)?(团队|團隊|队伍|隊伍)$|^(my |our )?teams?$", "teams", False),
        (r"^(建|新建|成立|创建|創建)(一个|一個)?(团队|團隊)$|^new team$", "team_new", False),
        (
            r"^(助残|看|查看)?(机构|機構)(结对|結對|配對|的团队|的團隊)?$|^institutions?( pairings?)?$",
            "institutions",
            False,
        ),
        (
            r"^(看|查看)?(轮流|輪流)?(排班|编更|編更|轮值|輪值)(表)?$|^(轮流|輪流)$|^(这次|這次|下次)?(轮到谁|輪到誰|輪到邊個)(去)?了?$"
            r"|^turns?$|^whose turn( is it)?$",
            "turns",
            False,
        ),
        (r"^(登记|登記|新建|加)(一个|一個)?(助残|助殘)?(机构|機構)$|^new institution$", "institution_new", False),
        (r"^设(一个)?(区县|县)?专员$|^設(一個)?(區縣|縣)?專員$", "county_specialist", False),
        (
            r"^(我)?(想|要)?(值班|[当當]值)(请假|請假|放假)$|^(请假|請假)?[找搵](个|個)?(人|同事)?代班$"
            r"|^duty leave$|^deputy$",
            "duty_leave",
            False,
        ),
        (
            r"^(我的|看|查看)?(培训|培訓|资格证|資格證|证书|證書)(和|与|與)?(证书|證書)?$"
            r"|^(my )?certificates?$|^qualifications$",
            "qualifications",
            False,
        ),
        (
            r"(还有|仲有|還有)?(哪|边|邊)(几|幾)?(家|户|戶|个|個)(人)?.{0,4}(没|沒|冇|未)(人)?(跑|去|探访|探訪)|(谁|誰|边个|邊個).{0,2}(还|還|仲)?(没|沒|冇|未)(去|探访|探訪)"
            r"|^who (has not|hasn.t) been( visited)?\??$",
            "unvisited",
            False,
        ),
        (r"^(今天|今日)?(有|要)?(什么|咩|啥|乜)?(要办|要辦|待办|待辦)(的|嘅)?(事)?$|^to-?do( list)?$", "todo", False),
        (r"^登记(培训|证明)$|^登記(培訓|證明)$", "volunteer_dates", False),
        (
            r"^(开通|開通|打开|打開|订阅|訂閱|允许|允許)(一次)?(提醒|通知)$"
            r"|^(allow|turn on|enable) (a |one )?(notices?|reminders?)$",
            "allow_notice",
            False,
        ),
        (r"^(我要|我想)?([签簽]到|打卡)(一下)?$|^check[ -]?in$", "check_in", False),
        (r"^(我要|我想)?[签簽]退(一下)?$|^check[ -]?out$", "check_out", False),
        (
            r"^(最近|近期)?(有)?(什么|什麼|哪些|乜嘢)?(活动|活動)(吗|嗎|有哪些)?$|^(upcoming )?activities$",
            "activities",
            False,
        ),
        (r"^(新建|建|发布|發布|办|辦)(一个|一個)?(活动|活動)$|^new activity$", "activity_new", False),
        (r"^(我)?(一个人|一個人|独自|獨自|自己)上[门門]$|^lone visit$", "lone_visit", False),
        (r"语言|語言|language|说英文|繁體|简体|english", "language", False),
        (r"删除我的|刪除我的|注销|註銷|delete my", "delete_me", False),
        (r"我的数据|我的數據|我的資料副本|my data", "my_data", False),
        (r"授权|授權|撤回|consent|privacy|隐私|隱私|私隱", "privacy", False),
        (
            r"(换|換|改|更)(了|个|個)?.{0,4}(手机|手機|电话|電話|号码|號碼)|phone number|new number",
            "change_profile",
            False,
        ),
        (
            r"[换換]了?.{0,4}(微信|账号|帳號|帳戶)|以前(注册|报名)过|註冊過|以前(登記|報名)過|registered before",
            "recognise",
            False,
        ),
        (r"解除绑定|解除綁定|解绑|解綁|unbind|unlink", "unbind", False),
        (r"绑定|綁定|bind|^link\b|link .*account", "bind", False),
        (r"免打扰|免打擾|勿扰|quiet", "quiet_hours", False),
        (r"暂停|暫停|pause", "pause", False),
        (r"^(我)?(想|要)?(找人)?(请假|請假)?(交接|接力)(一下)?$|^(relay|hand ?over)$", "hand_over", False),
        (r"整[队隊]交接|[组組][织織][间間]交接|hand over a team", "hand_over_team", False),
        (r"称呼|稱呼", "address_form", False),
        (
            r"报名|報名|注册|註冊|登记成?为?志愿者|登記成?為?義工|[当當做](义工|義工|志愿者|志願者)|想[当當]"
            r"|register|sign ?up|volunteer",
            "register",
            False,
        ),
        (r"监护人|監護人|guardian|^[监監][护護][码碼]?$", "guardian", False),
        (r"^我的资料$|^我的資料$|profile", "profile", False),
        (
            r"(时长|時數|時長|服务时间|服務時間).{0,6}(有误|有誤|不对|唔啱|錯|错|少了|少咗|漏)"
            r"|(少|漏)(了|咗)?我.{0,4}(钟|鐘|小时|小時|时长|時數)"
            r"|^my hours are wrong|hours (are|is) (wrong|missing)",
            "hours_wrong",
            False,
        ),
        (
            r"^(我的|查|看|睇)?(服务|服務)?(时长|時數|時長)$|^my hours$|^几星|^幾星|多少(个)?(小时|时长)了",
            "hours",
            False,
        ),
        (r"^(待审|审核|確認|确认|審批)(的)?(时长|時數|時長)$|^(hours )?to confirm$", "hours_to_confirm", False),
        (r"^我的$|^my$", "my", False),
    )
)
# What may stand between “I” and what is soon to be.
_SOON = (
    "(今年|明年|后年|後年|马上|馬上|快|就|要|将|將|即|都|也|到|在|得|会|會|可能|准备|準備|打算|下|个|個|月|底|初|学期|學期|暑假|夏天"
    r"|大四|研三|[\d一二三四五六七八九十])*"
)
# Somebody else, of whom the same may be told.
OTHERS = re.compile(r"他|她|佢|\bta\b|孩子|小(?!时|時|组|組|区|區)\w|\b(he|she|they)\b", re.IGNORECASE)
MYSELF = re.compile(r"我|俺|\bi\b|\bmy\b", re.IGNORECASE)
# Wishes of somebody who cannot come for a while or not any more: what they say it is (handlers/relay.py). Whoever wants
# to join says the same of themselves.
JOINS = re.compile(r"报名|報名|注册|註冊|登[记記]|想[当當]|加入|register|sign ?up", re.IGNORECASE)
LEAVES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), what)
    for pattern, what in (
        (
            r"^(我)?(又|还|還)(能|可以)(再)?继续(了|做|服务)?|^(我)?(又|仲)可以繼續|^(我)?(又|還)能繼續"
            r"|^不(用)?交接了|^i can (go on|continue)",
            "go_on",
        ),
        (r"(看|睇)交接留言|^交接留言$|handover note", "note"),
        (
            r"请(个|几天|一?周|两周|几周)?假|請(個|幾天|一?[周週]|兩[周週]|幾[周週])?假|(ask for|take) (some )?leave",
            "leave",
        ),
        (
            r"^(我)?((有点|有點)(难|難|累)[，,、 ]?)?(我)?(想|要|先|想先)"
            r"(停一停|停一下|停一阵|停一陣|歇一歇|休息一阵|休息一陣)[吧了。.！!]*$",
            "leave",
        ),
        (
            r"(考试|考試|考研|期末|实习|實習|出差|生病|住院|手术|手術|下个?月|下個月|几周|幾[周週]|exam).{0,10}"
            r"(去不了|去不成|来不了|來不了|去唔到|嚟唔到|不能去|can(no|')t (come|go))",
            "leave",
        ),
        (rf"(^|我)(们|哋)?{_SOON}(毕业|畢業)|i(['’]m| am) graduating|i graduate", "graduation"),
        (rf"(^|我)(们|哋)?{_SOON}搬(家|走|去|到|屋)|i(['’]m| am) moving( away)?", "moved"),
        (
            r"做不下去|坚持不下去|堅持不下去|撑不下去了?做|做唔落去|(我)?不想做(志愿者|义工|義工)了|换个?人(来)?(接|做)"
            r"|can(no|')t go on with|can(no|')t continue (with )?(my|the)? ?(pairing|visits|volunteering)",
            "stopped",
        ),
    )
)
LANGUAGE_WORDS = {"english": "en", "繁體": "zh_HK", "繁体": "zh_HK", "简体": "zh_CN", "簡體": "zh_CN"}
# “link an account” is no code: one has a digit in it, or is as long as a code.
CODE = re.compile(
    r"^(监护|監護|guardian|绑定|綁定|bind|link)\s*[:：]?\s*(?=.*\d|(?:[a-z0-9][ -]?){8}$)([a-z0-9][a-z0-9 -]{6,14})$",
    re.IGNORECASE,
)
ACKNOWLEDGED = re.compile(
    r"^(收到|好的?|嗯+|ok|okay|谢谢|謝謝|多谢|多謝|知道了|thanks?|thank you|\[ok\]|👌|👍)[。.!！~～\[\]a-z ]*$",
    re.IGNORECASE,
)


GREETS = re.compile(
    r"^(你好|您好|妳好|你哋好|大家好|哈[喽囉啰]|嗨|喂|在吗|在嗎|在不在|早|早安|(早上|上午|中午|下午|晚上)好|早晨|hi+|hello|hey|"
    r"good (morning|afternoon|evening))( there)?[呀啊哦吗嗎。.!！?？~～,，]*$",
    re.IGNORECASE,
)

// The words of the page's own chrome. What the bot says is never touched: it comes from the product.

const zh = {
  title: "暖阳沙盒",
  skip: "跳到手机",
  opening: "正在打开沙盒…",
  language: "界面语言",
  tagline: "微信和 Telegram，都在这台电脑上",

  connected: "已连接",
  connecting: "正在连接…",
  lost: "和沙盒的连接断开了，正在重新连接（第 {n} 次）…",
  lost_hint: "聊天记录都在，连上后会自动补齐。",
  retry_now: "马上重试",
  back_again: "又连上了",
  load_failed: "沙盒没有打开：{reason}",
  try_again: "再试一次",

  phone_n: "手机 {n}",
  phones: "选择手机",
  platform: "平台",
  wechat: "微信",
  telegram: "Telegram",
  choose_person: "选择机主：",
  add_person: "添加一个人…",
  add_person_title: "添加一个人",
  name: "称呼",
  name_hint: "例如：小周",
  note: "说明（可不填）",
  note_hint: "例如：大二学生",
  add: "添加",
  name_missing: "请写一个称呼。",
  added: "已添加{name}",
  unread: "{n} 条新消息",
  no_people: "还没有人。请先添加一个人。",

  chat_log: "与{title}的聊天记录",
  loading_chat: "正在打开聊天…",
  chat_failed: "聊天记录没有打开：{reason}",
  empty_chat: "还没有消息。说一句“你好”试试。",
  typing: "对方正在输入…",
  new_below: "有新消息",
  today: "今天",
  yesterday: "昨天",
  said_by: "{name}说：",
  you: "你",

  message: "消息",
  write: "写消息",
  send: "发送",
  to_keyboard: "切换到键盘",
  to_menu: "切换到菜单",
  menu_of: "公众号菜单",
  commands: "命令菜单",
  menu: "菜单",
  no_commands: "机器人还没有设置命令。",
  reply_keyboard: "回复键盘",
  hide_keyboard: "收起键盘",
  show_keyboard: "显示回复键盘",
  opens_page: "在新标签页打开",
  opens_here: "在手机里打开",
  page_title: "网页",
  gone_button: "这个按钮没有可去的地方。",

  more: "更多",
  close_more: "收起更多",
  tools: "可以发的东西",
  image: "图片",
  photo: "照片",
  location: "位置",
  voice: "语音",
  sticker: "表情",
  tg_sticker: "贴纸",
  video: "视频",
  file: "文件",
  contact: "联系方式",
  scan: "扫一扫",
  deep_link: "带参数打开",
  repeat: "平台重发",
  repeat_on: "你的下一个动作会由平台原样再发 2 次（同一个编号）",
  repeat_off: "不重发了",
  voice_alt: "语音消息",
  image_alt: "图片：示意照片",
  sticker_alt: "表情：微笑的太阳",
  video_alt: "视频",
  location_alt: "位置",
  qr_alt: "二维码",
  use_qr: "扫这个码",

  location_title: "发送位置",
  location_hint: "坐标为 WGS-84。点一个地方就发出去，或在下面自己填。",
  places: "常用地点",
  own_place: "自己填",
  latitude: "纬度",
  longitude: "经度",
  place_label: "地点名称（可不填）",
  bad_latitude: "纬度要在 -90 到 90 之间。",
  bad_longitude: "经度要在 -180 到 180 之间。",
  send_location: "发送这个位置",

  scan_title: "扫一扫",
  scan_hint: "填二维码里的场景值，和用相机扫它一样。没有关注时，扫码就会关注。",
  link_title: "带参数打开机器人",
  link_hint: "和点开 t.me 链接一样：发出“/start 参数”。",
  scene: "场景值",
  parameter: "参数",
  bad_scene: "请填 1 到 64 个字符。",
  bad_parameter: "参数只能用字母、数字、“_”和“-”，1 到 64 个。",
  seen_codes: "聊天里出现过的码",
  no_codes: "聊天里还没有出现过二维码。",
  do_scan: "扫",
  do_open: "打开",

  account: "公众号资料",
  account_more: "公众号资料与取消关注",
  service_account: "服务号 · 沙盒",
  about: "青年志愿者助残“阳光行动”的对话前台。这里的一切都在这台电脑上发生，不会发给任何人。",
  follow: "关注公众号",
  following: "已关注",
  not_following: "你还没有关注这个公众号。",
  scan_to_follow: "扫码关注",
  unfollow: "取消关注",
  unfollow_note: "取消后，公众号不能再给你发消息。",

  bot: "机器人",
  bot_menu: "更多操作",
  what_can: "这个机器人能做什么？",
  press_start: "按“开始”就能聊天。",
  start: "开始",
  block: "停用机器人",
  blocked: "你停用了这个机器人，它不能再给你发消息。",
  restart: "重新启用",
  mode_polling: "长轮询",
  mode_webhook: "Webhook",

  via_passive: "被动回复",
  "via_客服": "客服消息",
  "via_模板": "模板消息",
  "via_订阅": "订阅通知",
  "via_群发": "群发",
  "via_bot api": "Bot API",
  state_sending: "发送中…",
  state_delivered: "已送达",
  state_repeated: "已送达，平台重发过",
  state_repeated_n: "{platform}第 {n} 次重试…",
  state_failed: "失败",
  state_failed_why: "失败：{reason}",

  panel: "后台",
  open_panel: "打开后台",
  close: "关闭",
  clock: "项目时钟",
  clock_same: "与真实时间一致",
  clock_ahead: "比真实时间快{span}",
  days: " {n} 天",
  hours: " {n} 小时",
  minutes: " {n} 分钟",
  forward_hour: "快进 1 小时",
  forward_day: "快进 1 天",
  forward_morning: "到明早 9 点",
  forwarding: "正在快进，途中到期的事会一件件办完…",
  forwarded: "现在是 {time}",
  wire: "协议记录",
  wire_empty: "还没有往来。发一条消息，这里就会出现平台和程序之间的每一次请求。",
  wire_clear: "清空显示",
  wire_ok: "成功",
  wire_bad: "出错",
  faults: "故障",
  faults_hint: "让程序接下来调用平台时遇到故障。",
  fault_kind: "故障种类",
  fault_slow: "很慢",
  fault_5xx: "服务器出错（5xx）",
  fault_drop: "连接断开",
  fault_none: "没有故障",
  times: "次数",
  set_fault: "设置",
  fault_set: "接下来 {n} 次调用{platform}：{kind}",
  fault_cleared: "{platform}的故障已清除",
  bad_times: "次数要在 1 到 100 之间。",
  reset: "重来",
  reset_hint: "清空沙盒里的人和聊天，不动程序的数据库。",
  reset_do: "清空沙盒",
  reset_ask: "清空沙盒里的所有人和聊天？",
  reset_done: "沙盒已清空",
  cancel: "不了",

  error_offline: "连不上沙盒，请看看 nuanyang run 是否还开着。",
  error_timeout: "沙盒没有及时回答，请再试一次。",
  error_other: "沙盒出了错（{status}），请再试一次。",
};

const en = {
  title: "Nuanyang sandbox",
  skip: "Skip to the phones",
  opening: "Opening the sandbox…",
  language: "Language of this page",
  tagline: "WeChat and Telegram, both on this computer",

  connected: "Connected",
  connecting: "Connecting…",
  lost: "The connection to the sandbox is lost. Reconnecting (attempt {n})…",
  lost_hint: "Your chats are safe and will catch up by themselves.",
  retry_now: "Retry now",
  back_again: "Connected again",
  load_failed: "The sandbox did not open: {reason}",
  try_again: "Try again",

  phone_n: "Phone {n}",
  phones: "Choose a phone",
  platform: "Platform",
  wechat: "WeChat",
  telegram: "Telegram",
  choose_person: "Choose the owner: ",
  add_person: "Add a person…",
  add_person_title: "Add a person",
  name: "Name",
  name_hint: "For example: 小周",
  note: "Note (optional)",
  note_hint: "For example: second-year student",
  add: "Add",
  name_missing: "Please write a name.",
  added: "{name} was added",
  unread: "{n} new",
  no_people: "There is nobody yet. Add a person first.",

  chat_log: "Chat with {title}",
  loading_chat: "Opening the chat…",
  chat_failed: "The chat did not open: {reason}",
  empty_chat: "No messages yet. Try 你好.",
  typing: "typing…",
  new_below: "New messages",
  today: "Today",
  yesterday: "Yesterday",
  said_by: "{name}:",
  you: "You",

  message: "Message",
  write: "Write a message",
  send: "Send",
  to_keyboard: "Switch to keyboard",
  to_menu: "Switch to menu",
  menu_of: "Account menu",
  commands: "Command menu",
  menu: "Menu",
  no_commands: "The bot has not set any commands yet.",
  reply_keyboard: "Reply keyboard",
  hide_keyboard: "Hide the reply keyboard",
  show_keyboard: "Show the reply keyboard",
  opens_page: "opens in a new tab",
  opens_here: "opens on the phone",
  page_title: "Web page",
  gone_button: "This button leads nowhere.",

  more: "More",
  close_more: "Close",
  tools: "Things to send",
  image: "Picture",
  photo: "Photo",
  location: "Location",
  voice: "Voice",
  sticker: "Sticker",
  tg_sticker: "Sticker",
  video: "Video",
  file: "File",
  contact: "Contact",
  scan: "Scan",
  deep_link: "Open by link",
  repeat: "Repeat",
  repeat_on: "The platform will send your next action twice more, with the same id",
  repeat_off: "Do not repeat",
  voice_alt: "Voice message",
  image_alt: "Picture: a sample photo",
  sticker_alt: "Sticker: a smiling sun",
  video_alt: "Video",
  location_alt: "Location",
  qr_alt: "QR code",
  use_qr: "Scan this code",

  location_title: "Send a location",
  location_hint: "Coordinates are WGS-84. Press a place to send it, or fill in your own below.",
  places: "Places",
  own_place: "Your own",
  latitude: "Latitude",
  longitude: "Longitude",
  place_label: "Name of the place (optional)",
  bad_latitude: "The latitude must be between -90 and 90.",
  bad_longitude: "The longitude must be between -180 and 180.",
  send_location: "Send this location",

  scan_title: "Scan a code",
  scan_hint: "Enter the scene of the QR code, as if the camera had read it. Scanning also follows the account.",
  link_title: "Open the bot by a link",
  link_hint: "Like opening a t.me link: sends /start PARAMETER.",
  scene: "Scene",
  parameter: "Parameter",
  bad_scene: "Please enter 1 to 64 characters.",
  bad_parameter: "Only letters, digits, _ and -, 1 to 64 of them.",
  seen_codes: "Codes seen in the chats",
  no_codes: "No QR code has appeared in a chat yet.",
  do_scan: "Scan",
  do_open: "Open",

  account: "About this account",
  account_more: "About this account, unfollow",
  service_account: "Service account · sandbox",
  about: "The chat front end of the youth-volunteer disability-aid programme. Everything here happens on this computer; nothing is sent to anybody.",
  follow: "Follow",
  following: "Following",
  not_following: "You do not follow this account yet.",
  scan_to_follow: "Follow by QR code",
  unfollow: "Unfollow",
  unfollow_note: "After that the account cannot write to you.",

  bot: "bot",
  bot_menu: "More actions",
  what_can: "What can this bot do?",
  press_start: "Press Start to begin the chat.",
  start: "Start",
  block: "Stop and block the bot",
  blocked: "You blocked this bot. It cannot write to you.",
  restart: "Restart",
  mode_polling: "long polling",
  mode_webhook: "webhook",

  via_passive: "Passive reply",
  "via_客服": "Customer service",
  "via_模板": "Template message",
  "via_订阅": "Subscription notice",
  "via_群发": "Mass send",
  "via_bot api": "Bot API",
  state_sending: "Sending…",
  state_delivered: "Delivered",
  state_repeated: "Delivered, after repeats",
  state_repeated_n: "{platform}: retry {n}…",
  state_failed: "Failed",
  state_failed_why: "Failed: {reason}",

  panel: "Backstage",
  open_panel: "Open backstage",
  close: "Close",
  clock: "Programme clock",
  clock_same: "Same as the real time",
  clock_ahead: "Ahead of the real time by{span}",
  days: " {n} d",
  hours: " {n} h",
  minutes: " {n} min",
  forward_hour: "+ 1 hour",
  forward_day: "+ 1 day",
  forward_morning: "To 9 tomorrow morning",
  forwarding: "Moving forward; everything due on the way is being done…",
  forwarded: "It is now {time}",
  wire: "Protocol log",
  wire_empty: "Nothing yet. Send a message, and every request between platform and product appears here.",
  wire_clear: "Clear the view",
  wire_ok: "ok",
  wire_bad: "error",
  faults: "Faults",
  faults_hint: "Let the product's next calls to a platform meet a fault.",
  fault_kind: "Kind of fault",
  fault_slow: "Very slow",
  fault_5xx: "Server error (5xx)",
  fault_drop: "Connection dropped",
  fault_none: "No fault",
  times: "Times",
  set_fault: "Set",
  fault_set: "Next {n} calls to {platform}: {kind}",
  fault_cleared: "Faults of {platform} cleared",
  bad_times: "Between 1 and 100 times, please.",
  reset: "Start over",
  reset_hint: "Empties the sandbox's people and chats. The product's database stays as it is.",
  reset_do: "Empty the sandbox",
  reset_ask: "Empty all people and chats of the sandbox?",
  reset_done: "The sandbox is empty",
  cancel: "Not now",

  error_offline: "The sandbox cannot be reached. Is nuanyang run still running?",
  error_timeout: "The sandbox did not answer in time. Please try again.",
  error_other: "The sandbox had an error ({status}). Please try again.",
};

const LANGUAGES = { zh: { words: zh, tag: "zh-CN", label: "中文" }, en: { words: en, tag: "en", label: "English" } };
const KEY = "nuanyang.sandbox.language";

let current = "zh";

/** The sentence of `key` in the page's language, with `{name}` filled from `values`. Unknown keys throw. */
export function t(key, values = {}) {
  const sentence = LANGUAGES[current].words[key];
  if (sentence === undefined) throw new Error(`no text for ${key}`);
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** True when the words exist: for codes that come from the server. */
export function knows(key) {
  return Object.hasOwn(LANGUAGES[current].words, key);
}

export function language() {
  return current;
}

export function languageTag() {
  return LANGUAGES[current].tag;
}

export function languages() {
  return Object.entries(LANGUAGES).map(([code, { label, tag }]) => ({ code, label, tag }));
}

/** Switch the page to "zh" or "en", remember it and tell the document. */
export function setLanguage(code) {
  current = code in LANGUAGES ? code : "zh";
  document.documentElement.lang = languageTag();
  document.title = t("title");
  remember(KEY, current);
}

/** The language asked for by the address, the one remembered, or the browser's own. */
export function firstLanguage(asked) {
  if (asked in LANGUAGES) return asked;
  const kept = recall(KEY);
  if (kept in LANGUAGES) return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** The language of a piece of chat, so that screen readers choose the right voice. */
export function tagOf(text) {
  if (/[\u3400-\u9fff]/.test(text)) return "zh";
  return /[a-z]{2}/i.test(text) ? "en" : "zh";
}

/** Keep a small thing between visits; a browser that forbids storage simply forgets it. */
export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch (error) {
    console.info("not remembered:", key, error.name);
  }
}

export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch (error) {
    console.info("nothing remembered:", key, error.name);
    return null;
  }
}

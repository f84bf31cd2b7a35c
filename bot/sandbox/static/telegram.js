// What Telegram shows around the chat: commands, reply keyboard, the start card, the blocked bar, the tools.
import { markMore, repeatStrip, toolsPanel, writingLine } from "./composer.js";
import { el, icon } from "./dom.js";
import { menuButton, openPopup } from "./popup.js";
import { locationSheet } from "./tools.js";
import { t, tagOf } from "./texts.js";

export const telegram = {
  ready: () => true, // the chat is always there; what may be missing is the right to write

  top(phone) {
    const { title, mode } = phone.account();
    const host = el("span", { class: "popup-host" });
    const button = menuButton({ class: "icon-button", data: { key: "top-more" }, "aria-label": t("bot_menu") }, icon("dots-up", 24));
    button.addEventListener("click", () => openPopup({ host, button, label: t("bot_menu"), items: moreItems(phone), kind: "down end" }));
    host.append(button);
    const how = mode ? ` · ${t(`mode_${mode === "polling" ? "polling" : "webhook"}`)}` : "";
    return [
      el("span", { class: "avatar account round", "aria-hidden": "true" }, icon("sun", 24)),
      el("div", { class: "top-words" },
        el("h2", { class: "top-title", lang: tagOf(title) }, title),
        el("p", { class: "top-note" }, phone.isTyping() ? t("typing") : t("bot") + how)),
      host,
    ];
  },

  welcome(phone) {
    const { title } = phone.account();
    return el("div", { class: "start-card" },
      el("span", { class: "avatar account round big", "aria-hidden": "true" }, icon("sun", 44)),
      el("h3", { lang: tagOf(title) }, title),
      el("p", { class: "start-what" }, t("what_can")),
      el("p", {}, t("about")),
      el("p", { class: "start-how" }, t("press_start")));
  },

  /** The slots below the chat: what each depends on, and how it is drawn. */
  bottom(phone) {
    const { started, blocked } = phone.owner().telegram;
    if (blocked || !started) return { line: ["gate", () => gate(phone, blocked)] };
    const board = phone.keyboard();
    const placeholder = board?.placeholder || t("message");
    const line = () => writingLine(phone, { before: [commandsButton(phone), board && boardButton(phone)], placeholder });
    return {
      strip: [phone.repeat, () => repeatStrip(phone)],
      line: [["line", Boolean(board), placeholder], line],
      lower: phone.toolsOpen ? [["tools", phone.repeat], () => toolsPanel(phone, tools(phone))] : board && phone.boardOpen && [board, () => boardNode(phone, board)],
    };
  },

  mark(phone) {
    markMore(phone);
    markBoard(phone);
  },
};

function gate(phone, blocked) {
  const start = (key) => el("button", { type: "button", class: "gate-button", data: { home: key }, on: { click: () => phone.send({ do: "follow" }) } }, t(key));
  return el("div", { class: "gate" }, blocked ? [el("p", {}, t("blocked")), start("restart")] : start("start"));
}

function moreItems(phone) {
  const { started, blocked } = phone.owner().telegram;
  const items = [{ label: t("deep_link"), act: () => phone.scan() }];
  if (blocked || !started) items.push({ label: t(blocked ? "restart" : "start"), act: () => phone.send({ do: "follow" }) });
  else items.push({ label: t("block"), act: () => phone.send({ do: "unfollow" }) });
  return items;
}

function commandsButton(phone) {
  const host = el("span", { class: "popup-host" });
  const button = menuButton({ class: "commands", data: { key: "commands" }, "aria-label": t("commands") }, icon("bars", 16), el("span", {}, t("menu")));
  button.addEventListener("click", () => {
    const items = phone.commands().map(({ command, description }) => ({
      label: description,
      lang: tagOf(description),
      note: `/${command}`,
      act: () => phone.send({ do: "text", text: `/${command}` }),
    }));
    if (items.length === 0) phone.say(t("no_commands"));
    else openPopup({ host, button, label: t("commands"), items, kind: "up wide" });
  });
  host.append(button);
  return host;
}

function boardButton(phone) {
  return el("button", { type: "button", class: "icon-button", data: { key: "board" }, on: { click: () => phone.toggleBoard() } });
}

/** Say on the keyboard button whether the reply keyboard is open. */
function markBoard(phone) {
  const button = phone.bottom.querySelector('[data-key="board"]');
  if (!button) return;
  const open = phone.boardOpen && !phone.toolsOpen;
  button.setAttribute("aria-label", t(open ? "hide_keyboard" : "show_keyboard"));
  button.setAttribute("aria-expanded", String(open));
  button.replaceChildren(icon(open ? "keyboard" : "grid", 24));
}

function boardNode(phone, board) {
  const press = (button) => {
    if (button.request_location) locationSheet(phone.screen, (action) => phone.send(action));
    else if (button.request_contact) phone.send({ do: "contact" });
    else phone.send({ do: "text", text: button.text });
  };
  const rows = board.rows.map((row) => el("div", { class: "board-row" }, row.map((button) =>
    el("button", { type: "button", class: "board-key", lang: tagOf(button.text), on: { click: () => press(button) } },
      button.request_location && icon("pin", 16), button.text))));
  return el("div", { class: "board", role: "group", "aria-label": t("reply_keyboard") }, rows);
}

function tools(phone) {
  const simple = (name, kind, label = kind) => ({ icon: name, label: t(label), act: () => phone.send({ do: kind }) });
  return [
    simple("picture", "image", "photo"),
    { icon: "pin", label: t("location"), act: () => locationSheet(phone.screen, (action) => phone.send(action)) },
    { icon: "link", label: t("deep_link"), act: () => phone.scan() },
    simple("smile", "sticker", "tg_sticker"),
    simple("mic", "voice"),
    simple("film", "video"),
    simple("file", "file"),
    simple("person", "contact"),
    { icon: "repeat", label: t("repeat"), act: () => phone.setRepeat(!phone.repeat), pressed: phone.repeat },
  ];
}

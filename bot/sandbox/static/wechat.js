// What WeChat shows around the chat: the account page, the menu bar with its pop-up columns, the tools.
import { markMore, repeatStrip, toolsPanel, writingLine } from "./composer.js";
import { el, icon, safeUrl } from "./dom.js";
import { linkHint } from "./page.js";
import { menuButton, openPopup } from "./popup.js";
import { openSheet } from "./sheet.js";
import { locationSheet, scanSheet } from "./tools.js";
import { t, tagOf } from "./texts.js";

export const wechat = {
  ready: (person) => person.wechat.following,

  top(phone) {
    const { title } = phone.account();
    const typing = phone.isTyping();
    return [
      el("span", { class: "top-side" }),
      el("h2", { class: "top-title" }, typing ? t("typing") : el("span", { lang: tagOf(title) }, title)),
      phone.owner().wechat.following
        ? el("button", { type: "button", class: "icon-button top-side", data: { key: "top-more" }, "aria-label": t("account_more"), on: { click: () => profileSheet(phone) } }, icon("dots", 24))
        : el("span", { class: "top-side" }),
    ];
  },

  /** The page of an account that the person does not follow: nothing to read, one way in. */
  door(phone) {
    return el("div", { class: "door" },
      accountCard(phone),
      el("p", { class: "door-note" }, t("not_following")),
      el("button", { type: "button", class: "button primary wide", data: { home: "follow" }, on: { click: () => phone.send({ do: "follow" }) } }, t("follow")),
      el("button", { type: "button", class: "button wide", on: { click: () => phone.scan() } }, icon("scan", 20), t("scan_to_follow")));
  },

  /** The slots below the chat: what each depends on, and how it is drawn. */
  bottom(phone) {
    if (!phone.owner().wechat.following) return {};
    const menu = phone.menu();
    const asMenu = menu.length > 0 && phone.mode !== "keyboard";
    const swap = () => menu.length > 0 && swapButton(phone, asMenu);
    const line = asMenu
      ? [["menu", menu], () => el("div", { class: "line menu-line" }, swap(), menuBar(phone, menu))]
      : [["line", menu.length > 0], () => writingLine(phone, { before: [swap()] })];
    const lower = phone.toolsOpen && !asMenu && [["tools", phone.repeat], () => toolsPanel(phone, tools(phone))];
    return { strip: [phone.repeat, () => repeatStrip(phone)], line, lower };
  },

  mark: markMore,
};

function accountCard(phone) {
  const { title } = phone.account();
  return el("div", { class: "account-card" },
    el("span", { class: "avatar account big", "aria-hidden": "true" }, icon("sun", 44)),
    el("h3", { lang: tagOf(title) }, title),
    el("p", { class: "account-kind" }, t("service_account")),
    el("p", { class: "account-about" }, t("about")));
}

function profileSheet(phone) {
  const leave = async () => {
    if (await phone.send({ do: "unfollow" })) close();
  };
  const close = openSheet({
    screen: phone.screen,
    title: t("account"),
    body: [
      accountCard(phone),
      el("p", { class: "door-note" }, icon("check", 18), t("following")),
      el("button", { type: "button", class: "button wide danger", on: { click: leave } }, t("unfollow")),
      el("p", { class: "hint" }, t("unfollow_note")),
    ],
  });
}

function swapButton(phone, asMenu) {
  const press = () => phone.setMode(asMenu ? "keyboard" : "menu");
  return el("button", { type: "button", class: "icon-button swap", data: { key: "swap", home: asMenu ? "swap" : null }, "aria-label": t(asMenu ? "to_keyboard" : "to_menu"), on: { click: press } },
    icon(asMenu ? "keyboard" : "list", 26));
}

function menuBar(phone, menu) {
  const bar = el("div", { class: "menu-bar", role: "group", "aria-label": t("menu_of") }, menu.map((column) => menuColumn(phone, column)));
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const buttons = [...bar.querySelectorAll(".menu-column > .menu-name")];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    buttons[(at + step + buttons.length) % buttons.length].focus();
  });
  return bar;
}

function menuColumn(phone, column) {
  const name = el("span", { lang: tagOf(column.name) }, column.name);
  const host = el("div", { class: "menu-column" });
  if (!column.sub_button?.length) {
    host.append(entryButton(phone, column, name));
    return host;
  }
  const button = menuButton({ class: "menu-name" }, icon("bars", 12), name);
  const items = column.sub_button.map((entry) => ({ label: entry.name, lang: tagOf(entry.name), ...choose(phone, entry) }));
  const open = () => openPopup({ host, button, label: column.name, items, kind: "up" });
  button.addEventListener("click", open);
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowUp") return;
    event.preventDefault();
    open();
  });
  host.append(button);
  return host;
}

function entryButton(phone, entry, name) {
  const { href, act } = choose(phone, entry);
  if (href) return el("a", { class: "menu-name", href, target: "_blank", rel: "noopener noreferrer", title: linkHint(href), on: { click: () => act() } }, name);
  return el("button", { type: "button", class: "menu-name", on: { click: act } }, name);
}

/**
 * What pressing a menu entry does, by its WeChat type. The account is told of every press by the entry's key;
 * a page has its address for a key, and opens besides.
 */
function choose(phone, entry) {
  const press = (more = {}) => phone.send({ do: "menu", key: entry.key ?? entry.url ?? "", ...more });
  if (entry.type === "view") {
    const href = safeUrl(entry.url ?? "");
    return href ? { href, act: () => press() } : { act: () => phone.say(t("gone_button")) };
  }
  if (entry.type !== "location_select") return { act: () => press() };
  return { act: () => locationSheet(phone.screen, ({ latitude, longitude }) => press({ latitude, longitude })) };
}

function tools(phone) {
  const simple = (name, kind) => ({ icon: name, label: t(kind), act: () => phone.send({ do: kind }) });
  return [
    simple("picture", "image"),
    { icon: "pin", label: t("location"), act: () => locationSheet(phone.screen, (action) => phone.send(action)) },
    { icon: "scan", label: t("scan"), act: () => phone.scan() },
    simple("smile", "sticker"),
    simple("mic", "voice"),
    simple("film", "video"),
    simple("file", "file"),
    { icon: "repeat", label: t("repeat"), act: () => phone.setRepeat(!phone.repeat), pressed: phone.repeat },
  ];
}

export function openScan(phone, first) {
  scanSheet(phone.screen, phone.platform, phone.store.codes(phone.platform), (action) => phone.send(action), { first });
}

// One message as a person sees it. Text is text; only `entities_html` becomes elements, by way of sanitise.js.
import { aside, avatar, el, icon, safeUrl } from "./dom.js";
import { linkHint } from "./page.js";
import { safeHtml } from "./sanitise.js";
import { sceneOf } from "./store.js";
import { knows, languageTag, problemWords, sentence, t, tagOf } from "./texts.js";

/**
 * The element of `message`. `view`: {platform, clock, account, person, press(message, button), scan(scene)}.
 */
export function messageNode(message, view) {
  if (message.from === "system" || message.kind === "event") return systemNode(message, view);
  const mine = message.from === "person";
  const classes = ["msg", mine ? "from-person" : "from-bot", `kind-${message.kind}`];
  if (message.state === "failed") classes.push("is-failed");
  const speaker = mine ? t("you") : view.account.title;
  const bubble = el("div", { class: "bubble" }, content(message, view));
  const keys = message.buttons?.length ? keyboard(message, view) : null;
  if (view.platform === "telegram") bubble.append(timeMeta(message, view));
  else if (keys) bubble.append(keys);
  return el("div", { class: classes.join(" "), data: { id: message.id } },
    view.platform === "wechat" && face(mine, view),
    el("div", { class: "msg-main" },
      aside(t("said_by", { name: speaker })),
      bubble,
      view.platform === "telegram" && keys,
      underline(message, view)));
}

function systemNode(message, view) {
  const doing = message.state && message.state !== "delivered" && stateWords(message, view.platform);
  const own = message.note && sentence(`note_${message.note.code}`, message.note);
  return el("div", { class: "msg system", data: { id: message.id } },
    el("p", { class: "notice", lang: own ? languageTag() : tagOf(message.text) }, own || message.text),
    doing && el("p", { class: `notice state ${message.state}` }, message.state === "failed" && icon("alert", 14), doing));
}

function face(mine, view) {
  return mine ? avatar(view.person, 38) : el("span", { class: "avatar account", "aria-hidden": "true" }, icon("sun", 24));
}

function timeMeta(message, view) {
  const at = new Date(message.at);
  const ticks = message.from === "person" && message.state === "delivered" && [icon("ticks", 16), aside(t("state_delivered"))];
  return el("span", { class: "meta" }, el("time", { datetime: message.at }, view.clock.time(at)), ticks);
}

/** Below the bubble: by which channel it came, and in words how its delivery stands. */
function underline(message, view) {
  const parts = [];
  if (message.via && view.platform === "wechat") parts.push(el("span", { class: "via" }, knows(`via_${message.via}`) ? t(`via_${message.via}`) : message.via));
  const state = stateWords(message, view.platform);
  // What went well needs no words on every message: on WeChat only the newest shows it (chat.js), Telegram has ticks.
  if (message.state === "delivered") {
    if (message.from === "person" && view.platform === "wechat") parts.push(el("span", { class: "state delivered" }, state));
  } else if (state) {
    parts.push(el("span", { class: `state ${message.state}` }, message.state === "failed" && icon("alert", 14), state));
  }
  return parts.length > 0 && el("div", { class: "under" }, parts);
}

/** The state of a message in a person's words; empty when there is nothing to say. */
export function stateWords(message, platform) {
  const detail = message.detail?.code && detailWords(message.detail, platform);
  if (message.state === "failed") return detail ? t("state_failed_why", { reason: detail }) : t("state_failed");
  // Without a detail the message has arrived, after repeats; with one, the platform is still at it.
  if (message.state === "repeated" && detail) return detail;
  return message.state && knows(`state_${message.state}`) ? t(`state_${message.state}`) : "";
}

function detailWords(detail, platform) {
  const problem = detail.problem ? problemWords(detail) : "";
  return sentence(`detail_${detail.code}`, { ...detail, platform: t(platform), problem });
}

function content(message, view) {
  const draw = { image, sticker, voice, video, file, location: place, qr, template, link: card }[message.kind];
  return draw ? draw(message, view) : words(message);
}

function words(message, name = "div") {
  const body = message.entities_html ? safeHtml(message.entities_html, linkHint) : message.text;
  return el(name, { class: "words", lang: tagOf(message.text) }, body);
}

/** Words beside a picture; the platform's own “[图片]” says nothing that the picture does not. */
function caption(message) {
  return message.text && !/^\[[^\]]*\]$/.test(message.text) ? words(message) : null;
}

/** The real picture that came through the doors, or a drawing when there is none or it cannot be shown. */
function pictureOf(message, name, alt, kind = "photo") {
  const src = message.media_url && safeUrl(message.media_url);
  if (!src) return picture(name, alt);
  const img = el("img", { class: kind, src, alt });
  img.addEventListener("error", () => img.replaceWith(picture(name, alt)), { once: true });
  return img;
}

function picture(name, alt) {
  const svg = icon(name, 160);
  svg.setAttribute("viewBox", "0 0 160 120");
  return el("span", { class: `picture ${name}`, role: "img", "aria-label": alt }, svg);
}

function image(message) {
  if (message.text === "[视频]") return video(message); // WeChat shows a video as a picture to press
  return [pictureOf(message, "photo", t("image_alt")), caption(message)];
}

function sticker(message) {
  return [picture("sticker", t("sticker_alt"))];
}

function voice(message) {
  return el("span", { class: "voice" }, icon("wave", 20), named(message, t("voice_alt")));
}

function video(message) {
  return [picture("clip", t("video_alt")), caption(message)];
}

function file(message) {
  return el("span", { class: "voice" }, icon("file", 28), named(message, t("file")));
}

function named(message, otherwise) {
  const bare = !message.text || /^\[[^\]]*\]$/.test(message.text);
  return el("span", bare ? {} : { lang: tagOf(message.text) }, bare ? otherwise : message.text);
}

function place(message) {
  const numbers = /(-?\d+\.\d+)\s*[,，]\s*(-?\d+\.\d+)/.exec(message.text);
  const name = message.text.replace(numbers?.[0] ?? "", "").replace(/[（(]\s*[)）]/, "").trim();
  return [
    el("div", { class: "place-words" }, el("strong", { lang: tagOf(name) }, name || t("location_alt")), numbers && el("span", { class: "mono" }, numbers[0])),
    picture("map", t("location_alt")),
  ];
}

function qr(message, view) {
  const scene = sceneOf(message);
  return [
    pictureOf(message, "code", `${t("qr_alt")}：${message.text}`, "photo code"),
    caption(message),
    scene && el("button", { type: "button", class: "text-button", data: { scene }, on: { click: () => view.scan(scene) } }, t("use_qr")),
  ];
}

/** A WeChat template message: its title, then “name：value” lines in two columns. */
function template(message) {
  const lines = message.text.split("\n").filter((line) => line.trim());
  const pairs = lines.map((line) => /^([^：:]{1,12})[：:]\s*(.*)$/.exec(line));
  const title = pairs[0] ? null : el("strong", { class: "card-title" }, lines[0]);
  const rows = (title ? pairs.slice(1) : pairs).map((pair, at) => {
    const plain = lines[at + (title ? 1 : 0)];
    return pair ? el("div", {}, el("dt", {}, pair[1]), el("dd", {}, pair[2])) : el("div", {}, el("dt", { class: "sr" }, "·"), el("dd", {}, plain));
  });
  return el("div", { class: "card", lang: tagOf(message.text) }, title, rows.length > 0 && el("dl", {}, rows));
}

function card(message) {
  if (message.text === "[文件]") return file(message);
  return el("div", { class: "card" }, words(message));
}

function keyboard(message, view) {
  const rows = message.buttons.map((row) => el("div", { class: "keys-row" }, row.map((button) => key(message, button, view))));
  return el("div", { class: "keys" }, rows);
}

function key(message, button, view) {
  const label = el("span", { lang: tagOf(button.text) }, button.text);
  if (!button.url) {
    const press = () => view.press(message, button);
    return el("button", { type: "button", class: "key", data: { button: button.id }, on: { click: press } }, label);
  }
  const href = safeUrl(button.url);
  if (!href) return el("button", { type: "button", class: "key", disabled: true, title: t("gone_button") }, label);
  const away = { href, target: "_blank", rel: "noopener noreferrer" };
  return el("a", { class: "key", ...away }, label, icon("away", 14), aside(`（${linkHint(href)}）`));
}

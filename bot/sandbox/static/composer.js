// The line to write on and the + panel; the platforms put their own menus and keyboards around it.
import { el, icon, newId } from "./dom.js";
import { t } from "./texts.js";

/** The writing line. `phone` keeps the draft and sends; `before` and `after` are the platform's own buttons. */
export function writingLine(phone, { before = [], placeholder = "" } = {}) {
  const box = el("textarea", { class: "write", rows: "1", "aria-label": t("write"), placeholder, data: { home: "write" }, enterkeyhint: "send", maxlength: "5000" });
  box.value = phone.draft;
  const send = el("button", { type: "submit", class: "send", "aria-label": t("send") }, icon("send", 20), el("span", { class: "send-word" }, t("send")));
  const form = el("form", { class: "line" }, before, box, moreButton(phone), send);
  const fit = () => {
    form.classList.toggle("has-text", box.value.trim() !== "");
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 120)}px`;
  };
  box.addEventListener("input", () => {
    phone.draft = box.value;
    fit();
  });
  // Whoever turns to writing is done with the panel of things to send.
  for (const turn of ["focus", "input"]) box.addEventListener(turn, () => phone.toolsOpen && phone.toggleTools(false));
  box.addEventListener("keydown", (event) => {
    // Enter while an input method is composing chooses a word; it must not send.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = box.value;
    if (!text.trim()) return;
    const key = phone.key();
    phone.draft = phone.returned = box.value = "";
    fit();
    if (await phone.send({ do: "text", text })) return;
    if (phone.key() === key) giveBack(phone, text);
  });
  queueMicrotask(fit);
  return form;
}

/** Words that did not go: back into the line, wherever it is by now, before what was begun since. */
function giveBack(phone, text) {
  const had = phone.returned && phone.draft.startsWith(phone.returned) ? phone.returned : "";
  const begun = phone.draft.slice(had.length).replace(/^\n/, "");
  phone.returned = [had, text].filter(Boolean).join("\n");
  phone.draft = [phone.returned, begun].filter(Boolean).join("\n");
  const box = phone.screen.querySelector(".write");
  if (!box) return;
  box.value = phone.draft;
  box.dispatchEvent(new Event("input"));
}

function moreButton(phone) {
  const press = () => phone.toggleTools();
  return el("button", { type: "button", class: "icon-button more", data: { key: "more" }, on: { click: press } },
    icon(phone.platform === "telegram" ? "clip-on" : "plus", 26));
}

/** Say on the + button whether its panel is open; the button itself stays, and with it the focus. */
export function markMore(phone) {
  const button = phone.bottom.querySelector(".more");
  button?.setAttribute("aria-label", t(phone.toolsOpen ? "close_more" : "more"));
  button?.setAttribute("aria-expanded", String(phone.toolsOpen));
}

/** The panel of things to send. `tools`: [{icon, label, act, pressed?}]. */
export function toolsPanel(phone, tools) {
  const id = newId("tools");
  const buttons = tools.map(({ icon: name, label, act, pressed }) => {
    const props = { type: "button", class: "tool", data: { key: `tool-${name}` }, "aria-pressed": pressed === undefined ? null : String(pressed), on: { click: act } };
    return el("button", props, el("span", { class: "tool-face" }, icon(name, 26)), el("span", { class: "tool-name" }, label));
  });
  const panel = el("div", { class: "tools", role: "group", "aria-label": t("tools"), id }, buttons);
  panel.addEventListener("keydown", (event) => {
    const columns = getComputedStyle(panel).gridTemplateColumns.split(" ").length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    const to = step && buttons[buttons.indexOf(document.activeElement) + step];
    if (!to) return;
    event.preventDefault();
    to.focus();
  });
  return panel;
}

/** The strip that says the next action will be repeated, with the way out. */
export function repeatStrip(phone) {
  return phone.repeat && el("div", { class: "repeat-strip", role: "status" },
    icon("repeat", 18), el("span", { class: "grow" }, t("repeat_on")),
    el("button", { type: "button", class: "text-button", on: { click: () => phone.setRepeat(false) } }, t("repeat_off")));
}

// The page: head, two phones, backstage, and how they fit the window.
import { aside, el, icon } from "./dom.js";
import { Panel } from "./panel.js";
import { Phone } from "./phone.js";
import { Store } from "./store.js";
import { firstLanguage, language, languages, recall, remember, setLanguage, t } from "./texts.js";

const WIDE = window.matchMedia("(min-width: 1180px)"); // backstage has its own column
const NARROW = window.matchMedia("(max-width: 719px)"); // one phone at a time
const PLATFORMS = ["wechat", "telegram"];
const TOAST_FOR = 5000; // milliseconds

const asked = new URLSearchParams(location.search);
const $ = (id) => document.getElementById(id);

class Page {
  constructor() {
    this.store = new Store();
    this.phones = [];
    this.front = 0; // the phone shown on a narrow screen
    this.panel = new Panel(this.store, $("panel"), {
      tell: (text) => this.tell(text),
      shut: () => this.openPanel(false),
    });
    this.store.visible = () => new Set(this.phones.filter((phone) => !phone.node.hidden).map((phone) => phone.key()));
    this.store.addEventListener("connection", ({ detail }) => this.drawConnection(detail.before));
    this.store.addEventListener("reload", () => this.phones.forEach((phone) => phone.draw()));
    this.store.addEventListener("unread", () => this.drawTabs());
    this.store.addEventListener("state", () => this.drawTabs());
    this.store.addEventListener("clock", () => this.tick());
    WIDE.addEventListener("change", () => this.fit());
    NARROW.addEventListener("change", () => this.fit());
    $("panel").addEventListener("keydown", (event) => event.key === "Escape" && !WIDE.matches && this.openPanel(false));
    setInterval(() => this.tick(), 5000);
  }

  async open() {
    $("opening").textContent = t("opening");
    this.drawHead();
    try {
      await this.store.open();
    } catch (error) {
      return this.failed(error);
    }
    this.phones = [0, 1].map((at) => new Phone(this.store, at + 1, this.first(at), () => this.ownerChanged()));
    $("phones").replaceChildren(this.tabs(), ...this.phones.map((phone) => phone.node));
    this.panel.draw();
    this.fit();
    this.phones.forEach((phone) => phone.draw());
    this.drawTabs();
    this.tick();
    document.body.classList.add("is-open");
    return undefined;
  }

  failed(error) {
    const again = el("button", { type: "button", class: "button primary", on: { click: () => this.open() } }, t("try_again"));
    $("opening").replaceChildren(el("span", { role: "alert" }, t("load_failed", { reason: error.message })), again);
  }

  /** What a phone shows first: what the address asks for, what was last open, or WeChat left and Telegram right. */
  first(at) {
    const wish = (asked.get(`phone${at + 1}`) ?? recall(`nuanyang.sandbox.phone${at + 1}`) ?? "").split(":");
    const platform = PLATFORMS.includes(wish[0]) ? wish[0] : PLATFORMS[at];
    const personId = this.store.person(wish[1]) ? wish[1] : (this.store.people[0]?.id ?? "");
    return { platform, personId };
  }

  ownerChanged() {
    this.phones.forEach((phone, at) => remember(`nuanyang.sandbox.phone${at + 1}`, `${phone.platform}:${phone.personId}`));
    this.drawTabs();
  }

  drawHead() {
    $("skip").textContent = t("skip");
    this.connection = el("span", { class: "connection", role: "status" });
    this.clock = el("span", { class: "head-clock" });
    const press = () => this.openPanel($("panel").hidden);
    this.opener = el("button", { type: "button", class: "button panel-opener", "aria-expanded": String(!$("panel").hidden), "aria-controls": "panel", on: { click: press } },
      aside(t("open_panel")), icon("clock", 18), this.clock);
    $("head").replaceChildren(
      el("span", { class: "brand" }, icon("sun", 28), el("span", {}, el("h1", {}, t("title")), el("span", { class: "tagline" }, t("tagline")))),
      el("span", { class: "grow" }), this.connection, this.opener, this.languageChoice());
    this.drawConnection();
    this.tick();
  }

  languageChoice() {
    const radios = languages().map(({ code, label, tag }) => {
      const input = el("input", { type: "radio", name: "language", value: code, checked: code === language() });
      input.addEventListener("change", () => this.speak(code));
      return el("label", { class: "segment" }, input, el("span", { lang: tag }, label));
    });
    return el("fieldset", { class: "segments languages" }, el("legend", { class: "sr" }, t("language")), radios);
  }

  speak(code) {
    setLanguage(code);
    this.drawHead();
    $("head").querySelector(`input[value="${code}"]`).focus();
    if (this.phones.length === 0) return;
    this.panel.draw();
    this.phones.forEach((phone) => phone.draw());
    this.switcher.setAttribute("aria-label", t("phones"));
    this.drawTabs();
    this.fit();
  }

  drawConnection(before) {
    const { state, attempt } = this.store.connection;
    const lost = state === "lost";
    const words = { open: t("connected"), connecting: t("connecting"), lost: t("connecting") }[state];
    this.connection.dataset.state = state;
    this.connection.replaceChildren(icon(lost ? "alert" : state === "open" ? "check" : "clock", 16), el("span", { class: "connection-word" }, words));
    if (!lost) $("lost").replaceChildren();
    else if (this.lostWords?.isConnected) this.lostWords.textContent = t("lost", { n: attempt });
    else {
      this.lostWords = el("strong", {}, t("lost", { n: attempt }));
      const retry = el("button", { type: "button", class: "button", on: { click: () => this.store.events.retry() } }, t("retry_now"));
      $("lost").replaceChildren(icon("alert", 20), el("span", { class: "grow" }, this.lostWords, " ", t("lost_hint")), retry);
    }
    if (before === "lost" && state === "open") this.tell(t("back_again"));
  }

  tabs() {
    this.switcher = el("div", { class: "switcher", role: "group", "aria-label": t("phones") });
    return this.switcher;
  }

  /** On a narrow screen: one button a phone, saying who and which app it is, and what is new there. */
  drawTabs() {
    if (!this.switcher || this.phones.length === 0) return;
    const focused = this.switcher.contains(document.activeElement);
    this.switcher.replaceChildren(...this.phones.map((phone, at) => {
      const fresh = phone.node.hidden ? (this.store.unread.get(phone.key()) ?? 0) : 0;
      const label = `${t(phone.platform)} · ${phone.owner()?.name ?? "—"}`;
      const props = { type: "button", class: "switch", "aria-pressed": String(at === this.front), on: { click: () => this.show(at) } };
      return el("button", props, el("span", { class: "switch-name" }, label), fresh > 0 && el("span", { class: "fresh" }, t("unread", { n: fresh })));
    }));
    if (focused) this.switcher.children[this.front].focus();
  }

  show(at) {
    this.front = at;
    this.fit();
    this.phones[at].log?.toEnd();
    this.store.seen(this.phones[at].key());
    this.drawTabs();
  }

  /** Which phones and whether backstage are in sight, by the width of the window. */
  fit() {
    this.phones.forEach((phone, at) => (phone.node.hidden = NARROW.matches && at !== this.front));
    this.openPanel(WIDE.matches && this.phones.length > 0, { quietly: true });
    this.drawTabs();
  }

  openPanel(open, { quietly = false } = {}) {
    const panel = $("panel");
    const held = panel.contains(document.activeElement);
    panel.hidden = !open;
    this.opener?.setAttribute("aria-expanded", String(open));
    if (quietly) return;
    if (open) panel.querySelector("h2")?.focus();
    else if (held) this.opener.focus();
  }

  tick() {
    const { clock } = this.store;
    if (this.clock) this.clock.textContent = this.phones.length ? `${clock.day(clock.now())} ${clock.time(clock.now())}` : "";
    this.panel.tick();
    this.phones.forEach((phone) => phone.tick());
  }

  tell(text) {
    clearTimeout(this.telling);
    $("toast").replaceChildren(el("span", {}, text));
    this.telling = setTimeout(() => $("toast").replaceChildren(), TOAST_FOR);
  }
}

setLanguage(firstLanguage(asked.get("lang")));
new Page().open();

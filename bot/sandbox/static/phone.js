// One phone: whose it is, which app is open, and its glass. It is drawn in three parts, each only when it changed.
import { ChatLog } from "./chat.js";
import { aside, avatar, el, icon } from "./dom.js";
import { Hands } from "./hands.js";
import { catchPages } from "./page.js";
import { closePopup, menuButton, openPopup } from "./popup.js";
import { chatKey } from "./store.js";
import { telegram } from "./telegram.js";
import { personSheet } from "./tools.js";
import { languageTag, sentence, t, tagOf } from "./texts.js";
import { openScan, wechat } from "./wechat.js";

const APPS = { wechat, telegram };
const TOAST_FOR = 5000; // milliseconds
const SAID_AFTER = 600; // milliseconds a sending may take before the phone speaks of it
const SLOTS = ["strip", "line", "lower"]; // what stands below the chat, from top to bottom

export class Phone {
  /** `changed(phone)` is called when the person or the platform was changed by hand. */
  constructor(store, number, { platform, personId }, changed) {
    Object.assign(this, { store, number, platform, personId, changed });
    this.draft = "";
    this.returned = ""; // words at the head of the draft that could not be sent
    this.mode = "menu";
    this.toolsOpen = false;
    this.boardOpen = true;
    this.repeat = false;
    this.log = null;
    this.ownerBar = el("div", { class: "owner" });
    this.top = el("div", { class: "top" });
    this.body = el("div", { class: "body" });
    this.slots = Object.fromEntries(SLOTS.map((name) => [name, el("div", { class: "slot" })]));
    this.bottom = el("div", { class: "bottom", hidden: true }, Object.values(this.slots));
    this.bottom.addEventListener("keydown", (event) => event.key === "Escape" && this.toolsOpen && this.leaveTools());
    this.waiting = el("div", { class: "waiting", role: "status" });
    this.statusTime = el("span");
    this.toast = el("div", { class: "toast", role: "status" });
    const status = el("div", { class: "status-bar", "aria-hidden": "true" }, this.statusTime, el("span", { class: "status-icons" }, icon("signal", 16), icon("battery", 22)));
    this.screen = el("div", { class: "screen" }, status, this.top, this.body, this.waiting, this.bottom, this.toast);
    this.hands = new Hands(this.screen);
    catchPages(this.screen, () => (this.platform === "wechat" ? this.personId : ""));
    this.node = el("section", { class: "phone", id: `phone-${number}` }, this.ownerBar, el("div", { class: "handset" }, this.screen));
    store.addEventListener("state", () => this.onState());
    store.addEventListener("clock", () => this.log?.restamp());
    store.addEventListener("chat", ({ detail }) => detail.key === this.key() && this.onChat(detail));
    store.addEventListener("typing", ({ detail }) => detail.key === this.key() && this.soon("Top"));
    store.addEventListener("toast", ({ detail }) => detail.key === this.key() && this.say(detail.text));
    store.addEventListener("unread", () => this.soon("Owner"));
    store.addEventListener("sending", ({ detail }) => detail.key === this.key() && this.drawWaiting());
  }

  key() {
    return chatKey(this.platform, this.personId);
  }

  owner() {
    return this.store.person(this.personId);
  }

  account() {
    return this.store.accounts[this.platform];
  }

  app() {
    return APPS[this.platform];
  }

  chat() {
    return this.store.chat(this.platform, this.personId);
  }

  /** The menu for this person: the chat's own, which may be conditional, or the account's. */
  menu() {
    const own = this.chat().menu;
    return own?.length ? own : (this.account().menu ?? []);
  }

  /** The bot's commands as this person sees them. */
  commands() {
    return this.chat().commands ?? this.account().commands ?? [];
  }

  keyboard() {
    return this.chat().keyboard;
  }

  isTyping() {
    return this.store.typing.has(this.key());
  }

  /** Draw everything anew: at the start, and when language, person or platform change. */
  draw() {
    this.node.dataset.platform = this.platform;
    this.node.setAttribute("aria-label", t("phone_n", { n: this.number }));
    this.screen.querySelector(":scope > .sheet-layer")?.closeSheet();
    this.log?.leave();
    this.log = null;
    this.drawn = { account: JSON.stringify(this.account()) };
    if (!this.owner()) this.personId = this.store.people[0]?.id ?? "";
    this.drawOwner();
    if (!this.owner()) return this.drawNobody();
    this.drawTop();
    this.drawBody();
    this.drawBottom();
    this.drawWaiting();
    this.tick();
    if (!this.node.hidden) this.store.seen(this.key());
  }

  drawNobody() {
    this.top.replaceChildren();
    this.bottom.hidden = true;
    this.body.replaceChildren(el("div", { class: "door" }, el("p", { class: "door-note" }, t("no_people")),
      el("button", { type: "button", class: "button primary wide", on: { click: () => this.addPerson() } }, t("add_person"))));
  }

  drawOwner() {
    const signature = JSON.stringify([this.platform, this.personId, this.store.people, [...this.store.unread], document.documentElement.lang]);
    if (this.drawn?.owner === signature) return;
    this.drawn.owner = signature;
    const focused = document.activeElement?.closest?.(".owner") === this.ownerBar ? document.activeElement.dataset.key : null;
    this.ownerBar.replaceChildren(this.platformChoice(), this.personChoice());
    if (focused) this.ownerBar.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  platformChoice() {
    const name = `platform-${this.number}`;
    const radios = ["wechat", "telegram"].map((platform) => {
      const input = el("input", { type: "radio", name, value: platform, checked: platform === this.platform, data: { key: platform } });
      input.addEventListener("change", () => this.turnTo({ platform }));
      return el("label", { class: "segment" }, input, el("span", {}, t(platform)));
    });
    return el("fieldset", { class: "segments" }, el("legend", { class: "sr" }, t("platform")), radios);
  }

  personChoice() {
    const host = el("span", { class: "popup-host person-host" });
    const owner = this.owner();
    const name = owner?.name ?? "—";
    const button = menuButton({ class: "person", data: { key: "person" } },
      aside(t("choose_person")), owner && avatar(owner, 26), el("span", { class: "person-name", lang: tagOf(name) }, name), icon("chevron", 16));
    button.addEventListener("click", () => openPopup({ host, button, label: t("choose_person"), items: this.personItems(), kind: "down end people" }));
    host.append(button);
    return host;
  }

  personItems() {
    const people = this.store.people.map((person) => {
      const fresh = this.store.unread.get(chatKey(this.platform, person.id));
      const about = sentence(`role_${person.role}`) ?? person.note;
      const note = [about, fresh && t("unread", { n: fresh })].filter(Boolean).join(" · ");
      const act = () => this.turnTo({ personId: person.id });
      return { label: person.name, lang: tagOf(person.name), note, node: avatar(person, 34), checked: person.id === this.personId, act };
    });
    const face = el("span", { class: "avatar plus", "aria-hidden": "true" }, icon("plus", 20));
    return [...people, { label: t("add_person"), node: face, act: () => this.addPerson() }];
  }

  addPerson() {
    personSheet(this.screen, async (person) => {
      await this.store.readState().catch((error) => this.say(error.message));
      this.turnTo({ personId: person.id });
      this.say(t("added", { name: person.name }));
    });
  }

  turnTo({ platform = this.platform, personId = this.personId }) {
    if (platform === this.platform && personId === this.personId) return;
    Object.assign(this, { platform, personId, draft: "", returned: "", mode: "menu", toolsOpen: false, boardOpen: true, repeat: false });
    this.draw();
    this.changed(this);
  }

  drawTop() {
    if (!this.owner()) return;
    const signature = JSON.stringify([this.account(), this.isTyping(), this.owner()]);
    if (this.drawn.top === signature) return;
    this.drawn.top = signature;
    this.redraw(this.top, this.app().top(this));
  }

  drawBody() {
    const ready = this.app().ready(this.owner());
    if (this.drawn.ready === ready) return;
    this.drawn.ready = ready;
    this.log?.leave();
    this.log = null;
    if (!ready) return this.redraw(this.body, [this.app().door(this)]);
    const welcome = this.app().welcome;
    this.log = new ChatLog({
      platform: this.platform,
      clock: this.store.clock,
      account: this.account(),
      person: this.owner(),
      press: (message, button) => this.send({ do: "press", message_id: message.id, button_id: button.id }),
      scan: (scene) => this.scan(scene),
      welcome: welcome && (() => welcome(this)),
    });
    this.redraw(this.body, [this.log.node]);
    this.showChat();
  }

  showChat() {
    this.log.show(this.chat(), () => {
      this.chat().status = "loading";
      this.showChat();
      this.store.load(this.platform, this.personId);
    });
  }

  /** Each slot is drawn only when what it depends on changed, so that what is being written is left alone. */
  drawBottom() {
    if (!this.owner()) return;
    const app = this.app();
    const wanted = app.bottom(this);
    for (const name of SLOTS) {
      const [depends, build] = wanted[name] || [null, () => false];
      const signature = JSON.stringify([this.key(), languageTag(), depends]);
      if (this.drawn[name] === signature) continue;
      this.drawn[name] = signature;
      if (name === "line") closePopup({ within: this.bottom });
      this.redraw(this.slots[name], [build()].filter(Boolean));
    }
    this.bottom.hidden = Object.values(this.slots).every((slot) => slot.childElementCount === 0);
    app.mark(this);
  }

  /** Draw a part because of something that happened by itself: not under a finger, nor amid a word. */
  soon(...parts) {
    for (const part of parts) this.hands.whenFree(part, () => this[`draw${part}`]());
  }

  /** Replace a part's content and give the focus to what stands in the old place, so that it never falls away. */
  redraw(part, nodes) {
    const active = document.activeElement;
    const held = part.contains(active) && active !== document.body;
    const selection = active?.selectionStart;
    const mark = held && (active.dataset.key ?? active.dataset.home);
    part.replaceChildren(...nodes);
    if (!held) return;
    const same = mark && part.querySelector(`[data-key="${mark}"], [data-home="${mark}"]`);
    const next = same ?? this.screen.querySelector("[data-home]");
    next?.focus();
    if (same?.setSelectionRange && selection !== undefined) same.setSelectionRange(selection, selection);
  }

  onState() {
    const owner = this.owner();
    if (!owner) return this.draw();
    const account = JSON.stringify(this.account());
    if (this.drawn.account !== account) Object.assign(this.drawn, { account, ready: undefined }); // its title stands in the chat
    this.soon("Owner", "Top", "Body", "Bottom");
  }

  onChat({ what, message }) {
    if (this.log) {
      if (what === "added") this.log.add(message);
      else if (what === "changed") this.log.change(message);
      else if (what === "loaded") this.hands.whenFree("chat", () => this.log && this.showChat());
    }
    this.soon("Bottom");
  }

  /** Do something as this person. True when the sandbox took it; otherwise the reason is shown and it is false. */
  async send(action) {
    const repeated = this.repeat;
    if (repeated) this.setRepeat(false); // this one alone, however quickly the next one comes
    const full = repeated ? { ...action, repeat: 2 } : action;
    try {
      await this.store.act(this.platform, this.personId, full);
    } catch (error) {
      this.say(error.message);
      if (repeated) this.setRepeat(true);
      return false;
    }
    if (["follow", "unfollow", "scan"].includes(action.do)) this.store.refreshSoon();
    if (window.matchMedia("(max-width: 719px)").matches && action.do !== "text") this.toggleTools(false);
    return true;
  }

  /** How many actions have not reached the sandbox yet, once that takes long enough to be noticed. */
  drawWaiting() {
    clearTimeout(this.noticing);
    const count = this.store.sending.get(this.key()) ?? 0;
    if (count === 0) return this.waiting.replaceChildren();
    const words = () => this.waiting.replaceChildren(icon("clock", 14), el("span", {}, t("sending_n", { n: count })));
    if (this.waiting.hasChildNodes()) words();
    else this.noticing = setTimeout(words, SAID_AFTER);
    return undefined;
  }

  scan(first = "") {
    openScan(this, first);
  }

  setMode(mode) {
    this.mode = mode;
    this.toolsOpen = false;
    this.drawBottom();
    if (mode === "keyboard") this.bottom.querySelector(".write")?.focus();
  }

  toggleTools(open = !this.toolsOpen) {
    this.toolsOpen = open;
    this.drawBottom();
  }

  /** Close the tools with the focus inside them or beside: it goes to the button that opened them, or to the line. */
  leaveTools() {
    if (this.slots.lower.contains(document.activeElement)) {
      const more = this.bottom.querySelector(".more");
      (more?.checkVisibility() ? more : this.bottom.querySelector(".write"))?.focus();
    }
    this.toggleTools(false);
  }

  toggleBoard() {
    this.boardOpen = this.toolsOpen || !this.boardOpen;
    this.toolsOpen = false;
    this.drawBottom();
  }

  setRepeat(on) {
    this.repeat = on;
    this.drawBottom();
  }

  /** A short word on the glass, read aloud politely. */
  say(text) {
    clearTimeout(this.toasting);
    this.toast.replaceChildren(el("span", { lang: tagOf(text) }, text));
    this.toasting = setTimeout(() => this.toast.replaceChildren(), TOAST_FOR);
  }

  tick() {
    this.statusTime.textContent = this.store.clock.time(this.store.clock.now());
  }
}

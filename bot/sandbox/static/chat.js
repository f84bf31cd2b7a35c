// The chat history of one phone: a live log that only ever adds or patches, and scrolls like a chat should.
import { el, icon } from "./dom.js";
import { messageNode } from "./bubble.js";
import { Follower } from "./follow.js";
import { patch } from "./patch.js";
import { t } from "./texts.js";

const GAP = 5 * 60_000; // milliseconds of silence after which WeChat shows the time

export class ChatLog {
  /** `view` as for bubble.js, with `platform`, `clock` and `account`. */
  constructor(view) {
    this.view = view;
    this.stream = el("div", { class: "stream" });
    this.log = el("div", { class: "log", role: "log", tabindex: "0", "aria-live": "polite", "aria-label": t("chat_log", { title: view.account.title }) }, this.stream);
    this.below = el("button", { type: "button", class: "below", hidden: true, on: { click: () => this.toEnd() } }, icon("down", 16), t("new_below"));
    this.node = el("div", { class: "log-frame" }, this.log, this.below);
    this.nodes = new Map();
    this.last = null;
    this.follower = new Follower(this.log, this.stream, () => (this.below.hidden = true));
  }

  leave() {
    this.follower.leave();
  }

  /** Everything at once, on opening; not read aloud, because the log is busy meanwhile. */
  show(chat, retry) {
    this.log.setAttribute("aria-busy", "true");
    this.stream.replaceChildren();
    this.nodes.clear();
    this.last = null;
    if (chat.status === "loading") this.say("loading", t("loading_chat"));
    else if (chat.status === "failed") this.fail(chat.error, retry);
    else if (chat.messages.length === 0) this.welcome();
    for (const message of chat.messages) this.append(message);
    this.markNewest();
    this.toEnd();
    this.log.setAttribute("aria-busy", chat.status === "loading" ? "true" : "false");
  }

  say(kind, text) {
    this.stream.append(el("p", { class: `quiet ${kind}` }, text));
  }

  fail(reason, retry) {
    this.say("failed", t("chat_failed", { reason }));
    this.stream.append(el("button", { type: "button", class: "button", on: { click: retry } }, t("try_again")));
  }

  welcome() {
    if (this.view.welcome) this.stream.append(this.view.welcome());
    else this.say("empty", t("empty_chat"));
  }

  add(message) {
    if (this.nodes.size === 0) this.stream.replaceChildren();
    this.append(message);
    this.markNewest();
    if (message.from === "person") return this.toEnd();
    this.below.hidden = this.follower.following;
    return this.follower.settle();
  }

  append(message) {
    const divider = this.divider(message);
    if (divider) this.stream.append(divider);
    const node = messageNode(message, this.view);
    this.nodes.set(message.id, { node, message });
    this.stream.append(node);
    this.last = message;
  }

  /** Put a changed message in the place of the old one, without losing the button that has the focus. */
  change(message) {
    const held = this.nodes.get(message.id);
    if (!held) return;
    const focused = held.node.contains(document.activeElement);
    const button = focused ? document.activeElement.dataset.button : undefined;
    const node = patch(held.node, messageNode(message, this.view));
    this.nodes.set(message.id, { node, message });
    this.markNewest();
    if (focused && !node.contains(document.activeElement)) (node.querySelector(`[data-button="${CSS.escape(button ?? "")}"]`) ?? this.log).focus();
    this.follower.settle();
  }

  /** “Delivered” is shown in words on the person's newest message only. */
  markNewest() {
    const mine = this.stream.querySelectorAll(".msg.from-person");
    mine.forEach((node, at) => node.classList.toggle("newest", at === mine.length - 1));
  }

  divider(message) {
    const at = new Date(message.at);
    const before = this.last && new Date(this.last.at);
    const { clock, platform } = this.view;
    const due = platform === "wechat" ? !before || at - before > GAP : !before || clock.dayKey(at) !== clock.dayKey(before);
    return due && el("p", { class: "divider" }, el("time", { datetime: message.at }, this.stamp(at)));
  }

  stamp(at) {
    const { clock, platform } = this.view;
    return platform === "wechat" ? clock.stamp(at) : clock.dayName(at);
  }

  /** The clock was moved: “today” may have become “yesterday”. */
  restamp() {
    for (const time of this.stream.querySelectorAll(".divider time")) time.textContent = this.stamp(new Date(time.dateTime));
  }

  toEnd() {
    this.follower.toEnd();
  }
}

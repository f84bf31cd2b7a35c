// What the page knows: people, accounts, chats, clock and log. Views listen to its events:
// "state", "reload", "clock", "chat" {key, what, message}, "typing" {key}, "toast" {key, text}, "wire", "connection", "unread".
import { api } from "./api.js";
import { ProgrammeClock } from "./clock.js";
import { Events } from "./events.js";

const WIRE_LINES = 400;
const PAST_EVENTS = 200;
const TYPING_FOR = 5000; // milliseconds; Telegram's own “typing” lasts five seconds

export const chatKey = (platform, person) => `${platform}/${person}`;

export class Store extends EventTarget {
  constructor() {
    super();
    this.people = [];
    this.accounts = {};
    this.clock = new ProgrammeClock();
    this.seq = 0; // the newest event seen
    this.known = 0; // the newest event when the page was opened
    this.chats = new Map();
    this.unread = new Map();
    this.typing = new Map();
    this.wire = [];
    this.connection = { state: "connecting", attempt: 0 };
    this.visible = () => new Set(); // the chats in front of the person; app.js sets it
    this.events = new Events({
      since: () => this.seq,
      event: (event) => this.apply(event),
      open: (wasLost) => this.opened(wasLost),
      lost: (attempt) => this.setConnection("lost", attempt),
    });
  }

  emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Read the state and begin to listen. Throws ApiError when the sandbox does not answer. */
  async open() {
    this.known = await this.readState();
    // A little of the past comes along for the protocol log; chats are read whole, so older events are let by.
    this.seq = Math.max(0, this.known - PAST_EVENTS);
    this.events.start();
  }

  async readState() {
    const state = await api.state();
    this.people = state.people;
    this.accounts = state.accounts;
    this.clock.set(state.clock);
    this.emit("state");
    this.emit("clock");
    return state.seq;
  }

  /** A later look at the state, many at once folded into one; a failure shows as the lost connection does. */
  refreshSoon() {
    clearTimeout(this.refreshing);
    this.refreshing = setTimeout(() => {
      this.readState().catch((error) => console.warn("state not read:", error.message));
    }, 60);
  }

  async opened(wasLost) {
    this.setConnection("open", 0);
    if (!wasLost) return;
    try {
      // A sandbox that was emptied or begun anew counts from the start: what we hold is then of another life.
      const seq = await this.readState();
      if (seq < this.seq) {
        this.seq = this.known = seq;
        this.events.start();
      }
      for (const key of this.chats.keys()) this.load(...key.split("/"));
    } catch (error) {
      console.warn("not caught up yet:", error.message);
    }
  }

  setConnection(state, attempt) {
    const before = this.connection.state;
    this.connection = { state, attempt };
    this.emit("connection", { before });
  }

  person(id) {
    return this.people.find((person) => person.id === id);
  }

  /** The chat as known so far; asks for it when it was never opened. */
  chat(platform, person) {
    const key = chatKey(platform, person);
    if (!this.chats.has(key)) {
      this.chats.set(key, { messages: [], menu: [], keyboard: null, status: "loading", error: "", arrived: [] });
      this.load(platform, person);
    }
    return this.chats.get(key);
  }

  async load(platform, person) {
    const key = chatKey(platform, person);
    const chat = this.chats.get(key);
    if (!chat) return;
    chat.arrived = [];
    try {
      const answer = await api.chat(platform, person);
      const known = new Set(answer.messages.map((message) => message.id));
      // What came by event while the answer was under way may be missing in it.
      chat.messages = [...answer.messages, ...chat.arrived.filter((message) => !known.has(message.id))];
      chat.menu = answer.menu ?? [];
      chat.keyboard = answer.keyboard ?? null;
      chat.status = "ready";
      chat.error = "";
    } catch (error) {
      if (chat.status === "loading") chat.status = "failed";
      chat.error = error.message;
    }
    this.emit("chat", { key, what: "loaded" });
  }

  /** Menus have no content in their event: look again a moment later. */
  lookAgain(platform, person) {
    const chat = this.chats.get(chatKey(platform, person));
    if (!chat) return;
    clearTimeout(chat.looking);
    chat.looking = setTimeout(async () => {
      const answer = await api.chat(platform, person).catch(() => null); // the lost connection says it already
      if (!answer) return;
      chat.menu = answer.menu ?? [];
      chat.keyboard = answer.keyboard ?? null;
      this.emit("chat", { key: chatKey(platform, person), what: "boards" });
    }, 120);
  }

  apply(event) {
    if (typeof event.seq === "number") {
      if (event.seq <= this.seq) return; // a repeat after reconnecting
      this.seq = event.seq;
      if (event.seq <= this.known && event.type !== "wire") return;
    }
    const handler = this[`on_${event.type}`];
    if (handler) handler.call(this, event, chatKey(event.platform, event.person));
    else console.info("an event this page does not know:", event.type);
  }

  on_message(event, key) {
    const { message } = event;
    if (message.from === "bot") {
      this.stopTyping(key);
      this.newKeyboard(event, key);
      if (!this.visible().has(key)) {
        this.unread.set(key, (this.unread.get(key) ?? 0) + 1);
        this.emit("unread");
      }
    }
    const chat = this.chats.get(key);
    if (!chat) return;
    if (chat.messages.some((one) => one.id === message.id)) return this.on_message_edited(event, key);
    chat.messages.push(message);
    chat.arrived.push(message);
    this.emit("chat", { key, what: "added", message });
  }

  /** Telegram's events carry the keyboard below the chat; where one does not, look. */
  newKeyboard(event, key) {
    const chat = this.chats.get(key);
    if (!chat) return;
    if (!("keyboard" in event)) return this.lookAgain(event.platform, event.person);
    chat.keyboard = event.keyboard;
    this.emit("chat", { key, what: "boards" });
  }

  on_message_edited(event, key) {
    this.newKeyboard(event, key);
    const chat = this.chats.get(key);
    const at = chat?.messages.findIndex((one) => one.id === event.message.id) ?? -1;
    if (at < 0) return;
    chat.messages[at] = event.message;
    this.emit("chat", { key, what: "changed", message: event.message });
  }

  on_status(event, key) {
    const message = this.chats.get(key)?.messages.find((one) => one.id === event.message_id);
    if (!message) return;
    message.state = event.state;
    message.detail = event.detail ?? "";
    this.emit("chat", { key, what: "changed", message });
  }

  on_message_deleted(event, key) {
    const chat = this.chats.get(key);
    if (!chat) return;
    chat.messages = chat.messages.filter((one) => one.id !== event.message_id);
    this.emit("chat", { key, what: "loaded" });
  }

  /** The sandbox was emptied, or begun anew with events lost: everything is read again. */
  on_reload() {
    this.forget().catch((error) => console.warn("not read again:", error.message));
  }

  on_typing(event, key) {
    clearTimeout(this.typing.get(key));
    this.typing.set(key, setTimeout(() => this.stopTyping(key), TYPING_FOR));
    this.emit("typing", { key });
  }

  stopTyping(key) {
    if (!this.typing.has(key)) return;
    clearTimeout(this.typing.get(key));
    this.typing.delete(key);
    this.emit("typing", { key });
  }

  on_following() {
    this.refreshSoon();
  }

  on_menu(event) {
    this.refreshSoon();
    for (const key of this.chats.keys()) {
      const [platform, person] = key.split("/");
      if (!event.platform || event.platform === platform) this.lookAgain(platform, person);
    }
  }

  on_clock() {
    this.refreshSoon();
  }

  on_toast(event, key) {
    this.emit("toast", { key, text: event.text });
  }

  on_wire(event) {
    this.wire.push({ line: event.line, ok: event.ok !== false, at: event.seq > this.known ? this.clock.now() : null });
    if (this.wire.length > WIRE_LINES) this.wire.shift();
    this.emit("wire");
  }

  seen(key) {
    if (this.unread.delete(key)) this.emit("unread");
  }

  /** QR codes in all chats opened so far, newest first, each scene once. */
  codes(platform) {
    const found = new Map();
    for (const [key, chat] of this.chats) {
      if (!key.startsWith(`${platform}/`)) continue;
      for (const message of chat.messages) {
        const scene = sceneOf(message);
        if (scene) found.set(scene, { scene, text: message.text });
      }
    }
    return [...found.values()].reverse();
  }

  /** Forget every chat, after the sandbox was emptied. */
  async forget() {
    this.chats.clear();
    this.unread.clear();
    await this.readState();
    this.emit("reload");
    this.emit("wire");
    this.emit("unread");
  }
}

/** The scene a QR message carries: named by the server, or else its text. */
export function sceneOf(message) {
  return message.kind === "qr" ? (message.scene ?? message.text) : "";
}

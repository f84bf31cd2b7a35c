// What the page knows: people, accounts, chats, clock and log. Views listen to its events:
// "state", "reload", "clock", "chat" {key, what, message}, "typing" {key}, "toast" {key, text}, "sending" {key}, "wire", "connection", "unread".
import { api } from "./api.js";
import { ProgrammeClock } from "./clock.js";
import { Events } from "./events.js";

const WIRE_LINES = 400;
const PAST_EVENTS = 200;
const TYPING_FOR = 5000; // milliseconds; Telegram's own “typing” lasts five seconds
const LOOK_AGAIN = 1000; // milliseconds until the state is asked for again when it did not come

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
    this.sending = new Map(); // chat → actions on their way to the sandbox
    this.queues = new Map(); // chat → the promise after which its next action may go
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
    const state = await this.readState();
    this.known = state.seq;
    // A little of the past comes along for the protocol log; chats are read whole, so older events are let by.
    this.seq = Math.max(state.oldest, this.known - PAST_EVENTS);
    this.events.start();
  }

  async readState() {
    const state = await api.state();
    this.people = state.people;
    this.accounts = state.accounts;
    this.clock.set(state.clock);
    this.emit("state");
    this.emit("clock");
    return state;
  }

  /** Send an action. Those of one chat go one after the other, so that quick hands keep their order. */
  act(platform, person, action) {
    const key = chatKey(platform, person);
    const mine = (this.queues.get(key) ?? Promise.resolve()).then(() => api.act(platform, person, action));
    const count = (by) => {
      this.sending.set(key, (this.sending.get(key) ?? 0) + by);
      this.emit("sending", { key });
    };
    const over = () => count(-1);
    count(1);
    this.queues.set(key, mine.then(over, over));
    return mine;
  }

  /** A later look at the state, many at once folded into one; a failure shows as the lost connection does. */
  refreshSoon() {
    clearTimeout(this.refreshing);
    this.refreshing = setTimeout(() => {
      this.readState().catch((error) => console.warn("state not read:", error.message));
    }, 60);
  }

  /** Connected (again). What was missed comes as events; only what failed meanwhile has to be asked for. */
  opened(wasLost) {
    this.setConnection("open", 0);
    if (!wasLost) return;
    this.catchUp();
    for (const [key, chat] of this.chats) if (chat.status === "failed") this.load(...key.split("/"));
  }

  catchUp() {
    this.readState().catch((error) => {
      console.warn("not caught up yet:", error.message);
      if (this.connection.state === "open") setTimeout(() => this.catchUp(), LOOK_AGAIN);
    });
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
      this.chats.set(key, { messages: [], menu: [], keyboard: null, status: "loading", error: "", seq: 0, load: 0, late: null });
      this.load(platform, person);
    }
    return this.chats.get(key);
  }

  async load(platform, person) {
    const key = chatKey(platform, person);
    const chat = this.chats.get(key);
    if (!chat) return;
    const mine = (chat.load += 1);
    chat.late = [];
    try {
      const answer = await api.chat(platform, person);
      if (mine !== chat.load) return; // a later question is under way, its answer is the one to keep
      Object.assign(chat, { messages: answer.messages, seq: answer.seq, status: "ready", error: "" });
      Object.assign(chat, { menu: answer.menu ?? [], commands: answer.commands, keyboard: answer.keyboard ?? null });
      // What happened after the answer was written but arrived before it, once more in its order.
      for (const event of chat.late) if (event.seq > chat.seq) change(chat, event);
    } catch (error) {
      if (mine !== chat.load) return;
      if (chat.status === "loading") chat.status = "failed";
      chat.error = error.message;
    }
    chat.late = null;
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
      Object.assign(chat, { menu: answer.menu ?? [], commands: answer.commands });
      this.emit("chat", { key: chatKey(platform, person), what: "boards" });
    }, 120);
  }

  apply(event) {
    if (event.lost) {
      // The sandbox was started anew or no longer has what we missed: its numbers count from here on.
      this.seq = this.known = event.seq;
      return this.on_reload();
    }
    if (typeof event.seq === "number") {
      if (event.seq <= this.seq) return; // a repeat after reconnecting
      this.seq = event.seq;
      if (event.seq <= this.known && event.type !== "wire") return;
    }
    const handler = this[`on_${event.type}`];
    if (handler) handler.call(this, event, chatKey(event.platform, event.person));
    else console.info("an event this page does not know:", event.type);
  }

  /** An event that changes the messages of a chat, unless the chat as it was read has it already. */
  changeChat(event, key) {
    const chat = this.chats.get(key);
    if (!chat || event.seq <= chat.seq) return;
    chat.late?.push(event);
    const changed = change(chat, event);
    if (changed) this.emit("chat", { key, ...changed });
  }

  on_message(event, key) {
    const { message } = event;
    if (message.from === "bot") {
      this.stopTyping(key);
      if (!this.visible().has(key)) {
        this.unread.set(key, (this.unread.get(key) ?? 0) + 1);
        this.emit("unread");
      }
    }
    this.changeChat(event, key);
  }

  on_message_edited(event, key) {
    this.changeChat(event, key);
  }

  on_status(event, key) {
    this.changeChat(event, key);
  }

  on_message_deleted(event, key) {
    this.changeChat(event, key);
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

  on_clock(event) {
    if (!event.clock) return this.refreshSoon();
    this.clock.set(event.clock);
    return this.emit("clock");
  }

  on_toast(event, key) {
    this.emit("toast", { key, text: event.text });
  }

  on_wire(event) {
    this.wire.push({ what: event.what, facts: event.facts, ok: event.ok, at: new Date(event.at) });
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

  /** Forget every chat, after the sandbox was emptied or begun anew. Throws ApiError when it does not answer. */
  async forget() {
    this.chats.clear();
    this.unread.clear();
    try {
      await this.readState();
    } finally {
      // Drawn in any case: chats that cannot be read say so, and are read when the connection is back.
      for (const name of ["reload", "wire", "unread"]) this.emit(name);
    }
  }
}

/** Do to the messages of `chat` what `event` says; returns what that was for the views, null when it was nothing. */
function change(chat, event) {
  if ("keyboard" in event) chat.keyboard = event.keyboard; // Telegram's, below the chat
  const id = event.message?.id ?? event.message_id;
  const at = chat.messages.findIndex((one) => one.id === id);
  if (event.type === "message" && at < 0) {
    chat.messages.push(event.message);
    return { what: "added", message: event.message };
  }
  if (at < 0) return null;
  if (event.type === "message_deleted") {
    chat.messages.splice(at, 1);
    return { what: "loaded" };
  }
  const message = event.message ?? { ...chat.messages[at], state: event.state, detail: event.detail };
  chat.messages[at] = message;
  return { what: "changed", message };
}

/** The scene a QR message carries: named by the server, or else its text. */
export function sceneOf(message) {
  return message.kind === "qr" ? (message.scene ?? message.text) : "";
}

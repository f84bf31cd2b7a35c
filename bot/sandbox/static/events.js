// Server-sent events with our own reconnecting: each new connection asks for what came after the last number seen.
import { api } from "./api.js";

const WAITS = [500, 1000, 2000, 4000, 8000]; // milliseconds before each attempt, the last one for good

export class Events {
  /** `handlers`: since() → number, event(object), open(wasLost), lost(attempt). */
  constructor(handlers) {
    this.handlers = handlers;
    this.attempt = 0;
    this.source = null;
    this.timer = 0;
    window.addEventListener("online", () => this.retry());
    window.addEventListener("pagehide", () => this.source?.close());
    window.addEventListener("pageshow", (event) => event.persisted && this.start());
  }

  start() {
    clearTimeout(this.timer);
    this.source?.close();
    const source = new EventSource(api.eventsUrl(this.handlers.since()));
    this.source = source;
    source.onopen = () => {
      const wasLost = this.attempt > 0;
      this.attempt = 0;
      this.handlers.open(wasLost);
    };
    source.onmessage = (message) => this.receive(message.data);
    source.onerror = () => source === this.source && this.lose();
  }

  receive(data) {
    let event;
    try {
      event = JSON.parse(data);
    } catch (error) {
      console.warn("an event that is not JSON was left out:", error.message);
      return;
    }
    this.handlers.event(event);
  }

  lose() {
    // The browser's own retry would ask for the same number again and cannot be shown to the person.
    this.source.close();
    this.source = null;
    this.attempt += 1;
    this.handlers.lost(this.attempt);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(), WAITS[Math.min(this.attempt, WAITS.length) - 1]);
  }

  /** Try at once instead of waiting; does nothing while connected. */
  retry() {
    if (this.attempt > 0) this.start();
  }
}

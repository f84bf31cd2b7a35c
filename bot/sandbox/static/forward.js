// Moving the programme clock: presses add up while an earlier move is at work, and none is lost.
import { api } from "./api.js";

const HOUR = 3600;
const DAY = 24 * HOUR;
const MOST_AT_ONCE = 366 * DAY; // seconds; the sandbox takes more, but a person wants to see it come along

/** The buttons: [key of its words, seconds from a moment to where it leads]. */
export const JUMPS = [
  ["forward_hour", () => HOUR],
  ["forward_day", () => DAY],
  ["forward_week", () => 7 * DAY],
  ["forward_month", () => 30 * DAY],
  ["forward_morning", (clock, from) => clock.secondsToMorning(from)],
];

export class Forward {
  /** `changed()` is called whenever there is something new to show, `failed(error)` when a move failed. */
  constructor(store, { changed, failed }) {
    Object.assign(this, { store, changed, failed });
    this.waiting = 0; // seconds asked for and not yet begun
    this.moving = 0; // seconds under way
    this.began = null; // where the clock stood when the first of these presses came
    this.goal = null; // where it will stand when all is done
  }

  get working() {
    return this.goal !== null;
  }

  /** Seconds of programme time: all that was asked for since the clock last stood still, and how much is done. */
  progress() {
    const all = (this.goal - this.began) / 1000;
    return { all, done: Math.min(Math.max((this.store.clock.now() - this.began) / 1000, 0), all) };
  }

  press(step) {
    const idle = !this.working;
    if (idle) this.began = this.goal = this.store.clock.now();
    const seconds = step(this.store.clock, this.goal);
    this.goal = new Date(this.goal.getTime() + seconds * 1000);
    this.waiting += seconds;
    if (idle) this.work();
    else this.changed();
  }

  async work() {
    try {
      while (this.waiting > 0) {
        this.moving = Math.min(this.waiting, MOST_AT_ONCE);
        this.waiting -= this.moving;
        this.changed();
        await api.advance(this.moving);
        await this.store.readState();
      }
      this.stand();
    } catch (error) {
      this.stand(); // what was still waiting is let go: the person decides anew
      this.failed(error);
    }
  }

  stand() {
    this.waiting = this.moving = 0;
    this.began = this.goal = null;
    this.changed();
  }
}

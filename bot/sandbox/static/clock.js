// The programme clock: it can run ahead of the machine's, and every time on the page is read from it.
import { languageTag, t } from "./texts.js";

const MINUTE = 60_000;

export class ProgrammeClock {
  constructor() {
    this.zone = "Asia/Shanghai";
    this.offset = 0;
    this.ahead = 0; // milliseconds between the browser's clock and the programme's
  }

  /** Take `clock` of the server's answer: {now, offset_seconds, zone}. */
  set(clock) {
    this.zone = clock.zone;
    this.offset = clock.offset_seconds;
    this.ahead = Date.parse(clock.now) - Date.now();
  }

  now() {
    return new Date(Date.now() + this.ahead);
  }

  format(date, options) {
    return new Intl.DateTimeFormat(languageTag(), { timeZone: this.zone, ...options }).format(date);
  }

  time(date) {
    return this.format(date, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  }

  day(date) {
    const sameYear = this.format(date, { year: "numeric" }) === this.format(this.now(), { year: "numeric" });
    return this.format(date, { month: "long", day: "numeric", ...(sameYear ? {} : { year: "numeric" }) });
  }

  fullDay(date) {
    return this.format(date, { year: "numeric", month: "long", day: "numeric", weekday: "long" });
  }

  /** A number that is equal for two moments of the same local day. */
  dayKey(date) {
    return new Intl.DateTimeFormat("en-CA", { timeZone: this.zone, dateStyle: "short" }).format(date);
  }

  /** "09:12", "昨天 09:12" or "8月5日 09:12", as seen from the programme's today. */
  stamp(date) {
    const name = this.dayName(date);
    return name === t("today") ? this.time(date) : `${name} ${this.time(date)}`;
  }

  dayName(date) {
    const key = this.dayKey(date);
    if (key === this.dayKey(this.now())) return t("today");
    if (key === this.dayKey(new Date(this.now().getTime() - 24 * 60 * MINUTE))) return t("yesterday");
    return this.day(date);
  }

  /** Whole seconds from `now` to the next 09:00 of the zone, daylight saving included. */
  secondsToMorning(now = this.now()) {
    const [hour, minute, second] = this.wall(now);
    let seconds = 9 * 3600 - (hour * 3600 + minute * 60 + second);
    if (seconds <= 0) seconds += 24 * 3600;
    const [reached] = this.wall(new Date(now.getTime() + seconds * 1000));
    return seconds + (9 - reached) * 3600;
  }

  wall(date) {
    const options = { timeZone: this.zone, hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23" };
    const parts = new Intl.DateTimeFormat("en-GB", options).formatToParts(date);
    return ["hour", "minute", "second"].map((type) => Number(parts.find((part) => part.type === type).value));
  }

  /** How far ahead of the real time, in words. */
  lead() {
    const minutes = Math.round(this.offset / 60);
    return minutes < 1 ? t("clock_same") : t("clock_ahead", { span: this.span(this.offset) });
  }

  /** So many seconds in words, to the minute. */
  span(seconds) {
    const minutes = Math.max(1, Math.round(seconds / 60));
    const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor((minutes % 1440) / 60), minutes % 60];
    const parts = [days && t("days", { n: days }), hours && t("hours", { n: hours }), rest && t("minutes", { n: rest })];
    return parts.filter(Boolean).join("");
  }
}

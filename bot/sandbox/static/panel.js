// Backstage: the programme clock, the protocol log, faults and starting over.
import { api } from "./api.js";
import { el, field, icon, newId } from "./dom.js";
import { Follower } from "./follow.js";
import { confirmDialog } from "./sheet.js";
import { checkedForm } from "./tools.js";
import { t, tagOf } from "./texts.js";

const HOUR = 3600;

export class Panel {
  /** `tell(text)` shows a sentence to the person; `shut()` closes the drawer. */
  constructor(store, node, { tell, shut }) {
    Object.assign(this, { store, node, tell, shut });
    store.addEventListener("clock", () => this.tick());
    store.addEventListener("wire", () => this.drawWire());
  }

  draw() {
    this.node.setAttribute("aria-label", t("panel"));
    this.node.replaceChildren(
      el("div", { class: "panel-head" },
        el("h2", { tabindex: "-1" }, t("panel")),
        el("button", { type: "button", class: "icon-button panel-close", "aria-label": t("close"), on: { click: this.shut } }, icon("close", 20))),
      this.clockPart(), this.wirePart(), this.faultPart(), this.resetPart());
    this.tick();
    this.drawWire();
  }

  clockPart() {
    this.time = el("span", { class: "clock-time" });
    this.day = el("span", { class: "clock-day" });
    this.lead = el("p", { class: "clock-lead" });
    this.moving = el("p", { class: "hint moving", role: "status" });
    const jump = (key, seconds) => el("button", { type: "button", class: "button jump", on: { click: () => this.forward(seconds()) } }, icon("forward", 18), t(key));
    this.jumps = el("div", { class: "jumps" }, jump("forward_hour", () => HOUR), jump("forward_day", () => 24 * HOUR),
      jump("forward_morning", () => this.store.clock.secondsToMorning()));
    return part("clock", el("p", { class: "clock" }, this.time, this.day), this.lead, this.jumps, this.moving);
  }

  async forward(seconds) {
    if (this.busy) return;
    this.busy = true;
    this.jumps.setAttribute("aria-busy", "true");
    this.moving.textContent = t("forwarding");
    try {
      await api.advance(seconds);
      await this.store.readState();
      this.moving.textContent = t("forwarded", { time: this.nowInWords() });
    } catch (error) {
      this.moving.textContent = "";
      this.tell(error.message);
    } finally {
      this.busy = false;
      this.jumps.setAttribute("aria-busy", "false");
    }
  }

  nowInWords() {
    const { clock } = this.store;
    return `${clock.day(clock.now())} ${clock.time(clock.now())}`;
  }

  tick() {
    if (!this.time) return;
    const { clock } = this.store;
    const now = clock.now();
    this.time.textContent = clock.time(now);
    this.day.textContent = clock.fullDay(now);
    this.lead.textContent = clock.lead();
    this.lead.classList.toggle("ahead", clock.offset >= 60);
  }

  wirePart() {
    const title = newId("wire");
    // Not a live region: it speaks far too often, and the chat log already tells what matters.
    this.lines = el("ol", { class: "wire", tabindex: "0", "aria-labelledby": title });
    this.follower?.leave();
    this.follower = new Follower(this.lines, this.lines);
    this.noLines = el("p", { class: "empty" }, t("wire_empty"));
    this.clear = el("button", { type: "button", class: "text-button", on: { click: () => this.clearWire() } }, t("wire_clear"));
    const node = el("section", { class: "part wire-part" }, el("div", { class: "part-head" }, el("h3", { id: title }, t("wire")), this.clear), this.noLines, this.lines);
    this.shown = [];
    return node;
  }

  clearWire() {
    this.store.wire = [];
    this.drawWire();
    this.node.querySelector("h2").focus();
  }

  /** Only new lines are added: the log may be long and busy. */
  drawWire() {
    if (!this.lines) return;
    const { wire } = this.store;
    this.noLines.hidden = wire.length > 0;
    this.lines.hidden = this.clear.hidden = wire.length === 0;
    const kept = new Set(wire);
    while (this.shown.length && !kept.has(this.shown[0].entry)) this.shown.shift().node.remove();
    const from = this.shown.length;
    for (const entry of wire.slice(from)) {
      const node = this.wireLine(entry);
      this.shown.push({ entry, node });
      this.lines.append(node);
    }
    this.follower.settle();
  }

  wireLine({ line, ok, at }) {
    return el("li", { class: ok ? "ok" : "bad" },
      at && el("span", { class: "wire-time" }, this.store.clock.time(at)),
      el("span", { class: "wire-word" }, icon(ok ? "check" : "alert", 12), t(ok ? "wire_ok" : "wire_bad")),
      el("span", { class: "wire-line", lang: tagOf(line) }, line));
  }

  faultPart() {
    const platform = choice(t("platform"), ["wechat", "telegram"].map((one) => [one, t(one)]));
    const kind = choice(t("fault_kind"), ["slow", "5xx", "drop", "none"].map((one) => [one, t(`fault_${one}`)]));
    const times = field(t("times"), { type: "number", min: "1", max: "100", value: "1", inputmode: "numeric" });
    kind.input.addEventListener("change", () => (times.input.disabled = kind.input.value === "none"));
    const form = checkedForm(t("set_fault"), [el("div", { class: "pair" }, platform.node, times.node), kind.node], async () => {
      const [where, what, count] = [platform.input.value, kind.input.value, Number(times.input.value)];
      if (what !== "none" && (!Number.isInteger(count) || count < 1 || count > 100)) return [times.input, t("bad_times")];
      try {
        await api.fault(where, what, what === "none" ? 0 : count);
      } catch (error) {
        return [kind.input, error.message];
      }
      done.textContent = what === "none" ? t("fault_cleared", { platform: t(where) }) : t("fault_set", { n: count, platform: t(where), kind: t(`fault_${what}`) });
      return null;
    });
    const done = el("p", { class: "hint", role: "status" });
    return fold("faults", el("p", { class: "hint" }, t("faults_hint")), form, done);
  }

  resetPart() {
    const press = async () => {
      if (!(await confirmDialog(t("reset_ask"), t("reset_do")))) return;
      try {
        await api.reset();
        this.store.wire = [];
        await this.store.forget();
        this.tell(t("reset_done"));
      } catch (error) {
        this.tell(error.message);
      }
    };
    return fold("reset", el("p", { class: "hint" }, t("reset_hint")), el("button", { type: "button", class: "button danger wide", on: { click: press } }, t("reset_do")));
  }
}

function part(key, ...children) {
  const id = newId("part");
  return el("section", { class: `part part-${key}`, "aria-labelledby": id }, el("h3", { id }, t(key)), children);
}

/** A part that is seldom needed: closed until it is asked for. */
function fold(key, ...children) {
  const node = part(key, ...children);
  const head = node.querySelector("h3");
  const box = el("details", { class: "fold" }, el("summary", {}, head, icon("chevron", 16)), el("div", { class: "fold-body" }, ...node.childNodes));
  node.replaceChildren(box);
  return node;
}

function choice(label, options) {
  const id = newId("field");
  const input = el("select", { id }, options.map(([value, text]) => el("option", { value }, text)));
  return { input, node: el("div", { class: "field" }, el("label", { for: id }, label), input) };
}

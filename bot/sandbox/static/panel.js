// Backstage: the programme clock, the protocol log, faults and starting over.
import { api } from "./api.js";
import { el, field, icon, newId } from "./dom.js";
import { Follower } from "./follow.js";
import { Forward, JUMPS } from "./forward.js";
import { confirmDialog } from "./sheet.js";
import { checkedForm } from "./tools.js";
import { t } from "./texts.js";
import { wireKind, wireWords } from "./wire.js";

const FAULTS = ["slow", "5xx", "drop", "429", "none"];

export class Panel {
  /** `tell(text)` shows a sentence to the person; `shut()` closes the drawer. */
  constructor(store, node, { tell, shut }) {
    Object.assign(this, { store, node, tell, shut });
    this.forward = new Forward(store, { changed: () => this.drawMoving(), failed: (error) => this.tell(error.message) });
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
    this.bar = el("progress", { class: "bar", "aria-label": t("forward_progress"), hidden: true });
    const jumps = JUMPS.map(([key, step]) =>
      el("button", { type: "button", class: "button jump", on: { click: () => this.forward.press(step) } }, icon("forward", 18), t(key)));
    this.drawMoving({ quietly: true });
    return part("clock", el("p", { class: "clock" }, this.time, this.day), this.lead, el("div", { class: "jumps" }, jumps), this.bar, this.moving);
  }

  /** How the moves stand: what is under way, what waits behind it, and at the end where the clock has come to. */
  drawMoving({ quietly = false } = {}) {
    if (!this.moving) return;
    const { working, moving, waiting } = this.forward;
    this.bar.hidden = !working;
    if (working) {
      const words = [t("forwarding", { span: this.store.clock.span(moving) }), waiting > 0 && t("forward_waiting", { span: this.store.clock.span(waiting) })];
      this.moving.textContent = words.filter(Boolean).join(t("between_sentences"));
      this.drawBar();
    } else {
      this.moving.textContent = quietly ? "" : t("forwarded", { time: this.nowInWords() });
    }
  }

  drawBar() {
    if (!this.forward.working) return;
    const { all, done } = this.forward.progress();
    Object.assign(this.bar, { max: all, value: done });
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
    this.drawBar();
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

  wireLine(entry) {
    const kind = wireKind(entry);
    return el("li", { class: kind },
      el("span", { class: "wire-word" }, icon(kind === "ok" ? "check" : "alert", 12), el("span", { class: kind === "ok" ? "sr" : null }, t(`wire_${kind}`))),
      el("span", { class: "wire-line" }, wireWords(entry)),
      el("span", { class: "wire-time" }, this.store.clock.time(entry.at)));
  }

  faultPart() {
    const platform = choice(t("platform"), ["wechat", "telegram"].map((one) => [one, t(one)]));
    const kind = choice(t("fault_kind"), FAULTS.map((one) => [one, t(`fault_${one}`)]));
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

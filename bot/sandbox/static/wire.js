// A line of the protocol log in the page's language: the server sends only what happened and its facts.
import { problemWords, sentence, t } from "./texts.js";

/** "ok", "bad", or "fault" for a call that met a fault set on purpose. */
export function wireKind({ ok, facts }) {
  if (facts.fault) return "fault";
  return ok ? "ok" : "bad";
}

/** The whole line; `what` and `facts` as the server's "wire" event has them. */
export function wireWords({ what, facts }) {
  if (what === "delivery" || what === "call") return `${facts.method} ${whole(facts.path)} → ${outcome(facts)}`;
  if (what === "in_answer") return `${t("wire_in_answer", { method: facts.method })} → ${facts.error ? told(facts) : t("wire_ok")}`;
  return sentence(`wire_${what}`, facts) ?? what;
}

function outcome(facts) {
  const { status, ms, repeat, fault } = facts;
  const parts = [status && facts.problem === undefined ? String(status) : problemWords(facts)];
  if (facts.errcode !== undefined) parts.push(`errcode ${facts.errcode}`);
  if (facts.error) parts.push(told(facts));
  if (ms !== undefined) parts.push(t("wire_ms", { n: ms || "<1" }));
  if (repeat) parts.push(t("wire_repeat", { n: repeat }));
  if (fault) parts.push(t("wire_met", { fault: t(`fault_${fault}`) }));
  return parts.join(t("comma"));
}

/** A path that does not fall apart at a hyphen: word joiners, which nobody sees. */
function whole(path) {
  return path.replaceAll("-", "-\u2060");
}

/** How long the Bot API asks the bot to wait, or what else it said, in its own English. */
function told({ error, retry_after: seconds }) {
  return seconds ? t("wire_wait", { n: seconds }) : error;
}

// The sandbox's JSON API. Every failure becomes an ApiError whose message a person can read.
import { sentence, t } from "./texts.js";

const BASE = "/sandbox/api";
const PATIENCE = 20_000; // milliseconds; moving the clock has its own, since it works through all that falls due

export class ApiError extends Error {
  constructor(message, code) {
    super(message);
    this.name = "ApiError";
    this.code = code;
  }
}

async function call(method, path, body, patience = PATIENCE) {
  let response;
  try {
    response = await fetch(BASE + path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(patience),
      cache: "no-store",
    });
  } catch (error) {
    const code = error.name === "TimeoutError" ? "timeout" : "offline";
    throw new ApiError(t(`error_${code}`), code);
  }
  const answer = await response.json().catch(() => null); // an answer without JSON is judged by its status
  if (response.ok) return answer ?? {};
  throw new ApiError(reasonOf(answer, response.status), answer?.code ?? "other");
}

function reasonOf(answer, status) {
  // The server's own sentence is Chinese; the page has one for every code it knows, in the reader's language.
  return sentence(`error_${answer?.code}`, { status, ...answer?.fields }) ?? answer?.error ?? t("error_other", { status });
}

const path = (...parts) => parts.map((part) => `/${encodeURIComponent(part)}`).join("");

export const api = {
  state: () => call("GET", "/state"),
  chat: (platform, person) => call("GET", `/chats${path(platform, person)}`),
  act: (platform, person, action) => call("POST", `/chats${path(platform, person)}/act`, action),
  addPerson: (name, note, language) => call("POST", "/people", { name, note, language }),
  advance: (seconds) => call("POST", "/clock", { advance_seconds: seconds }, 300_000),
  fault: (platform, kind, times) => call("POST", "/faults", { platform, kind, times }),
  reset: () => call("POST", "/reset", {}),
  eventsUrl: (since) => `${BASE}/events?since=${since}`,
};

// The sandbox's JSON API. Every failure becomes an ApiError whose message a person can read.
import { knows, language, t } from "./texts.js";

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
  // The server speaks Chinese; the page prefers its own words where it has them in the reader's language.
  if (language() !== "zh" && answer?.code && knows(`error_${answer.code}`)) return t(`error_${answer.code}`, { status });
  return answer?.error ?? t("error_other", { status });
}

const path = (...parts) => parts.map((part) => `/${encodeURIComponent(part)}`).join("");

export const api = {
  state: () => call("GET", "/state"),
  chat: (platform, person) => call("GET", `/chats${path(platform, person)}`),
  act: (platform, person, action) => call("POST", `/chats${path(platform, person)}/act`, action),
  addPerson: (name, note) => call("POST", "/people", { name, note }),
  advance: (seconds) => call("POST", "/clock", { advance_seconds: seconds }, 300_000),
  fault: (platform, kind, times) => call("POST", "/faults", { platform, kind, times }),
  reset: () => call("POST", "/reset", {}),
  eventsUrl: (since) => `${BASE}/events?since=${since}`,
};

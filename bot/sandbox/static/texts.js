// The words of the page's own chrome. What the bot says is never touched: it comes from the product.
import { en } from "./words.en.js";
import { zh } from "./words.zh.js";

const LANGUAGES = { zh: { words: zh, tag: "zh-CN", label: "中文" }, en: { words: en, tag: "en", label: "English" } };
const KEY = "nuanyang.sandbox.language";

let current = "zh";

/** The sentence of `key` in the page's language, with `{name}` filled from `values`. Unknown keys throw. */
export function t(key, values = {}) {
  const sentence = LANGUAGES[current].words[key];
  if (sentence === undefined) throw new Error(`no text for ${key}`);
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** True when the words exist: for codes that come from the server. */
export function knows(key) {
  return Object.hasOwn(LANGUAGES[current].words, key);
}

/** The sentence of a key that comes from elsewhere, undefined when the page does not have it. */
export function sentence(key, values) {
  return knows(key) ? t(key, values) : undefined;
}

/** Why a call brought nothing: {problem, status?, patience?} as the server has it. */
export function problemWords({ problem = "dropped", status, patience }) {
  if (problem === "status") return `HTTP ${status}`;
  return problem === "timeout" && patience ? t("problem_cut", { n: patience }) : t(`problem_${problem}`);
}

export function language() {
  return current;
}

export function languageTag() {
  return LANGUAGES[current].tag;
}

export function languages() {
  return Object.entries(LANGUAGES).map(([code, { label, tag }]) => ({ code, label, tag }));
}

/** Switch the page to "zh" or "en", remember it and tell the document. */
export function setLanguage(code) {
  current = code in LANGUAGES ? code : "zh";
  document.documentElement.lang = languageTag();
  document.title = t("title");
  remember(KEY, current);
}

/** The language asked for by the address, the one remembered, or the browser's own. */
export function firstLanguage(asked) {
  if (asked in LANGUAGES) return asked;
  const kept = recall(KEY);
  if (kept in LANGUAGES) return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** The language of a piece of chat, so that screen readers choose the right voice. */
export function tagOf(text) {
  if (/[\u3400-\u9fff]/.test(text)) return "zh";
  return /[a-z]{2}/i.test(text) ? "en" : "zh";
}

/** Keep a small thing between visits; a browser that forbids storage simply forgets it. */
export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch (error) {
    console.info("not remembered:", key, error.name);
  }
}

export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch (error) {
    console.info("nothing remembered:", key, error.name);
    return null;
  }
}

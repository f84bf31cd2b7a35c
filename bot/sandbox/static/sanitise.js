// `entities_html` comes sanitised by the server; this is the second lock on the same door.
import { safeUrl } from "./dom.js";

const KEEP = new Set(["A", "B", "STRONG", "I", "EM", "U", "S", "CODE", "PRE", "BR"]);
const DROP = new Set(["SCRIPT", "STYLE", "TEMPLATE", "IFRAME", "OBJECT", "SVG", "MATH", "NOSCRIPT", "TEXTAREA", "TITLE"]);

/** A fragment with only the allowed elements and, on links, only an http(s) address and `hint(href)` as title. */
export function safeHtml(html, hint) {
  // DOMParser builds a document that runs nothing and loads nothing.
  const source = new DOMParser().parseFromString(html, "text/html").body;
  const fragment = document.createDocumentFragment();
  copy(source, fragment, hint);
  return fragment;
}

function copy(from, to, hint) {
  for (const child of from.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) {
      to.append(child.data);
    } else if (child.nodeType === Node.ELEMENT_NODE && !DROP.has(child.nodeName.toUpperCase())) {
      const kept = KEEP.has(child.nodeName) ? cleanElement(child, hint) : null;
      copy(child, kept ?? to, hint);
      if (kept) to.append(kept);
    }
  }
}

function cleanElement(child, hint) {
  if (child.nodeName !== "A") return document.createElement(child.nodeName);
  const href = safeUrl(child.getAttribute("href") ?? "");
  if (!href || !child.hasAttribute("href")) return null;
  const link = document.createElement("a");
  link.href = href;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.title = hint(href);
  return link;
}

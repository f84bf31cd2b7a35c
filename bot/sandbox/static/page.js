// One-time pages of the product open inside the phone, as WeChat's own browser would; everything else in a new tab.
import { el, icon } from "./dom.js";
import { openSheet } from "./sheet.js";
import { t } from "./texts.js";

/** True for the product's own pages (/p/…) on this very address. */
export function isOwnPage(href) {
  const url = new URL(href, location.href);
  return url.origin === location.origin && url.pathname.startsWith("/p/");
}

/** What a person is told about where a link leads. */
export function linkHint(href) {
  return t(isOwnPage(href) ? "opens_here" : "opens_page");
}

/** Catch plain presses on links to own pages anywhere on the glass; a press with Ctrl, Shift or the wheel stays the browser's.
    `owner()` is the person's id on a WeChat phone: WeChat's own pages know whose phone they are on. */
export function catchPages(screen, owner) {
  screen.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (link) document.cookie = `wechat_phone=${encodeURIComponent(owner())}; path=/sandbox/wechat-pages; SameSite=Strict`;
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!link || !plain || link.closest(".sheet") || !isOwnPage(link.href)) return;
    event.preventDefault();
    pageSheet(screen, link.href);
  });
}

function pageSheet(screen, href) {
  // These pages run no scripts, so the frame needs none; forms are what they are for.
  const frame = el("iframe", { class: "page-frame", src: href, title: t("page_title"), sandbox: "allow-forms allow-same-origin allow-downloads allow-popups" });
  const away = el("a", { class: "page-away", href, target: "_blank", rel: "noopener noreferrer" }, icon("away", 14), t("opens_page"));
  openSheet({ screen, title: t("page_title"), body: [away, frame], kind: "page-sheet" });
}

// A sheet inside one phone: the rest of that phone is inert meanwhile, the page around it stays usable.
import { el, icon, newId } from "./dom.js";
import { t } from "./texts.js";

/** Open a sheet in `screen` (the phone's glass) and return close(). Focus goes in, and back to where it was. */
export function openSheet({ screen, title, body, kind = "" }) {
  screen.querySelector(":scope > .sheet-layer")?.closeSheet();
  const opener = document.activeElement;
  const heading = newId("sheet");
  const close = () => {
    for (const sibling of screen.children) sibling.inert = false;
    layer.remove();
    const back = opener?.isConnected ? opener : screen.querySelector("[data-home]");
    back?.focus();
  };
  const shut = el("button", { type: "button", class: "icon-button", "aria-label": t("close"), on: { click: close } }, icon("close", 20));
  const sheet = el(
    "div",
    { class: `sheet ${kind}`, role: "dialog", "aria-labelledby": heading },
    el("div", { class: "sheet-head" }, el("h2", { id: heading, tabindex: "-1" }, title), shut),
    el("div", { class: "sheet-body" }, body),
  );
  const layer = el("div", { class: "sheet-layer" }, sheet);
  layer.closeSheet = close;
  layer.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  });
  layer.addEventListener("pointerdown", (event) => event.target === layer && close());
  // The toast stays outside: it must be able to say why something inside the sheet failed.
  for (const sibling of screen.children) sibling.inert = !sibling.classList.contains("toast");
  screen.append(layer);
  (sheet.querySelector("[autofocus]") ?? sheet.querySelector("h2")).focus();
  return close;
}

/** Ask before something that cannot be undone; resolves to true or false. */
export function confirmDialog(question, yes) {
  return new Promise((resolve) => {
    const id = newId("ask");
    const no = el("button", { type: "button", class: "button", on: { click: () => dialog.close("no") } }, t("cancel"));
    const go = el("button", { type: "button", class: "button danger", on: { click: () => dialog.close("yes") } }, yes);
    const dialog = el("dialog", { class: "ask", "aria-labelledby": id }, el("p", { id }, question), el("div", { class: "row end" }, no, go));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Pop-up menus: one in the tab order, arrows move inside, Esc and a press elsewhere close, focus goes back.
import { el, newId } from "./dom.js";

let open = null;

/**
 * Show a menu inside `host` (positioned by CSS), opened by `button`.
 * `items`: [{label, node?, note?, checked?, href?, act?, lang?}]; `checked` not undefined makes it one of a set.
 */
export function openPopup({ host, button, label, items, kind = "" }) {
  const again = open?.button === button;
  closePopup();
  if (again) return;
  const menu = el("div", { class: `popup ${kind}`, role: "menu", "aria-label": label, id: newId("menu") });
  menu.append(...items.map((item) => itemNode(item)));
  menu.addEventListener("keydown", (event) => onKey(event, menu));
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget) && event.relatedTarget !== button) closePopup();
  });
  host.append(menu);
  button.setAttribute("aria-expanded", "true");
  button.setAttribute("aria-controls", menu.id);
  open = { menu, button };
  document.addEventListener("pointerdown", onPress, true);
  const first = menu.querySelector('[aria-checked="true"]') ?? menu.firstElementChild;
  first?.focus();
}

/** Close the open menu, `within` a node only if it is there. */
export function closePopup({ refocus = false, within = document } = {}) {
  if (!open || !within.contains(open.menu)) return;
  const { menu, button } = open;
  open = null;
  document.removeEventListener("pointerdown", onPress, true);
  const held = menu.contains(document.activeElement);
  menu.remove();
  button.setAttribute("aria-expanded", "false");
  button.removeAttribute("aria-controls");
  if ((refocus || held) && button.isConnected) button.focus();
}

/** The button that opens a menu, with what assistive technology needs to know about it. */
export function menuButton(props, ...children) {
  return el("button", { type: "button", "aria-haspopup": "menu", "aria-expanded": "false", ...props }, ...children);
}

function itemNode({ label, node, note, checked, href, act, lang }) {
  const content = [
    node,
    el("span", { class: "popup-words" }, el("span", { class: "popup-label", lang }, label), note && el("span", { class: "popup-note" }, note)),
  ];
  const choose = () => {
    closePopup({ refocus: true });
    act?.();
  };
  const role = checked === undefined ? "menuitem" : "menuitemradio";
  const props = { class: "popup-item", role, tabindex: "-1", "aria-checked": checked === undefined ? null : String(checked) };
  if (href) {
    // Removed after the browser has followed the link, not before.
    const away = { href, target: "_blank", rel: "noopener noreferrer" };
    return el("a", { ...props, ...away, on: { click: () => setTimeout(choose) } }, content);
  }
  return el("button", { ...props, type: "button", on: { click: choose } }, content);
}

function onPress(event) {
  if (open && !open.menu.contains(event.target) && !open.button.contains(event.target)) closePopup();
}

function onKey(event, menu) {
  const items = [...menu.querySelectorAll(".popup-item")];
  const at = items.indexOf(document.activeElement);
  const to = {
    ArrowDown: (at + 1) % items.length,
    ArrowUp: (at - 1 + items.length) % items.length,
    Home: 0,
    End: items.length - 1,
  }[event.key];
  if (to !== undefined) items[to].focus();
  else if (event.key === "Escape") closePopup({ refocus: true });
  else if (event.key === "Tab") return closePopup({ refocus: true }); // then the browser moves on from the button
  else if (event.key.length === 1 && /\S/.test(event.key)) return typeAhead(event.key, items, at);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function typeAhead(letter, items, at) {
  const order = [...items.slice(at + 1), ...items.slice(0, at + 1)];
  order.find((item) => item.textContent.trim().toLowerCase().startsWith(letter.toLowerCase()))?.focus();
}

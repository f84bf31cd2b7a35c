// Building elements. Text always goes in as text nodes; the one place for HTML is sanitise.js.

const SVG = "http://www.w3.org/2000/svg";

/**
 * One element. `props`: `class`, `on: {event: handler}`, `data: {key: value}`, anything else is an attribute;
 * true sets it empty, false and null leave it out. Children are nodes or strings; null and false are skipped.
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A drawing from icons.svg: decoration, so hidden from screen readers; words stand beside it or in aria-label. */
export function icon(name, size = 24) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("width", size);
  svg.setAttribute("height", size);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/sandbox/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Words that only screen readers meet. */
export function aside(text) {
  return el("span", { class: "sr" }, text);
}

/** A round or square picture of a person: the first character on the person's colour. */
export function avatar(person, size = 36) {
  const node = el("span", { class: "avatar", "aria-hidden": "true" }, [...person.name][0] ?? "?");
  node.style.setProperty("--avatar", person.avatar);
  node.style.setProperty("--avatar-ink", inkOn(person.avatar));
  node.style.setProperty("--avatar-size", `${size}px`);
  return node;
}

/** Black or white, whichever can be read better on `colour` (#rrggbb). */
export function inkOn(colour) {
  const parts = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour ?? "");
  if (!parts) return "#fff";
  const [r, g, b] = parts.slice(1).map((hex) => {
    const c = parseInt(hex, 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#111" : "#fff";
}

let lastId = 0;

/** An id for aria-labelledby and friends. */
export function newId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

/** A label above an input; returns both, the input under `input`. */
export function field(label, attributes) {
  const id = newId("field");
  const input = el("input", { id, autocomplete: "off", ...attributes });
  return { input, node: el("div", { class: "field" }, el("label", { for: id }, label), input) };
}

/** True for addresses a person may open: http and https only. */
export function safeUrl(text) {
  try {
    const url = new URL(text, location.href);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null; // not an address at all; the caller says so
  }
}

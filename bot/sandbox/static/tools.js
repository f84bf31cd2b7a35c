// The sheets of the + panel: sending a place, scanning a code or opening a deep link, adding a person.
import { api } from "./api.js";
import { el, field, icon, newId } from "./dom.js";
import { PLACES } from "./places.js";
import { openSheet } from "./sheet.js";
import { language, t } from "./texts.js";

const APP_LANGUAGES = { zh: "", en: "en" }; // Chinese: simplified, or as the note suggests

/** Places by name, and a free pair of coordinates. `send(action)` sends it and answers true when it went. */
export function locationSheet(screen, send) {
  const go = async (latitude, longitude, label) => {
    if (await send({ do: "location", latitude, longitude, label })) close();
  };
  const list = el("ul", { class: "choices" }, PLACES.map((place) => {
    const name = place[language()];
    const words = [icon("pin", 20), el("span", { class: "grow" }, name), el("span", { class: "mono" }, `${place.latitude}, ${place.longitude}`)];
    const press = () => go(place.latitude, place.longitude, name);
    return el("li", {}, el("button", { type: "button", class: "choice", on: { click: press } }, words));
  }));
  const latitude = field(t("latitude"), { inputmode: "decimal", placeholder: "23.1291", required: true });
  const longitude = field(t("longitude"), { inputmode: "decimal", placeholder: "113.3612", required: true });
  const label = field(t("place_label"), { maxlength: 60 });
  const form = checkedForm(t("send_location"), [el("div", { class: "pair" }, latitude.node, longitude.node), label.node], () => {
    const [lat, long] = [degrees(latitude.input, 90), degrees(longitude.input, 180)];
    if (lat === null) return [latitude.input, t("bad_latitude")];
    if (long === null) return [longitude.input, t("bad_longitude")];
    go(lat, long, label.input.value.trim());
    return null;
  });
  const body = [el("p", { class: "hint" }, t("location_hint")), el("h3", {}, t("places")), list, el("h3", {}, t("own_place")), form];
  const close = openSheet({ screen, title: t("location_title"), body });
}

/** WeChat: a scene as the camera would read it. Telegram: the parameter of a t.me link. */
export function scanSheet(screen, platform, codes, send, { first = "" } = {}) {
  const wechat = platform === "wechat";
  const go = async (scene) => {
    if (await send({ do: "scan", scene })) close();
  };
  const scene = field(t(wechat ? "scene" : "parameter"), { maxlength: 64, value: first, required: true, autofocus: true, spellcheck: "false" });
  const allowed = wechat ? /^\S(.{0,62}\S)?$/u : /^[\w-]{1,64}$/;
  const form = checkedForm(t(wechat ? "do_scan" : "do_open"), [scene.node], () => {
    const text = scene.input.value.trim();
    if (!allowed.test(text)) return [scene.input, t(wechat ? "bad_scene" : "bad_parameter")];
    go(text);
    return null;
  });
  const seen = wechat && [el("h3", {}, t("seen_codes")), codeList(codes, go)];
  const body = [el("p", { class: "hint" }, t(wechat ? "scan_hint" : "link_hint")), form, seen];
  const close = openSheet({ screen, title: t(wechat ? "scan_title" : "link_title"), body });
}

function codeList(codes, go) {
  if (codes.length === 0) return el("p", { class: "empty" }, t("no_codes"));
  return el("ul", { class: "choices" }, codes.map(({ scene, text }) =>
    el("li", {}, el("button", { type: "button", class: "choice", on: { click: () => go(scene) } },
      icon("qr", 24), el("span", { class: "grow" }, text), text !== scene && el("span", { class: "mono" }, scene)))));
}

/** A new person for the sandbox, with apps in the page's language; `added(person)` gets the server's answer. */
export function personSheet(screen, added) {
  const name = field(t("name"), { maxlength: 20, placeholder: t("name_hint"), required: true, autofocus: true });
  const note = field(t("note"), { maxlength: 40, placeholder: t("note_hint") });
  const form = checkedForm(t("add"), [name.node, note.node], async () => {
    const text = name.input.value.trim();
    if (!text) return [name.input, t("name_missing")];
    try {
      const person = await api.addPerson(text, note.input.value.trim(), APP_LANGUAGES[language()]);
      close();
      added(person);
    } catch (error) {
      return [name.input, error.message];
    }
    return null;
  });
  const close = openSheet({ screen, title: t("add_person_title"), body: form });
}

/** A form that says what is wrong beside its fields. `check()` gives null or [input, sentence], or a promise of it. */
export function checkedForm(label, fields, check) {
  const id = newId("wrong");
  const wrong = el("p", { class: "wrong", id, role: "alert" });
  const form = el("form", { class: "form", novalidate: true }, fields, wrong, el("button", { class: "button primary wide" }, label));
  let last = Promise.resolve();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    last = last.then(judge); // a second press waits for the first, and counts if the form is still there
  });
  const judge = async () => {
    if (!form.isConnected) return;
    form.setAttribute("aria-busy", "true");
    for (const input of form.querySelectorAll("[aria-invalid]")) {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    }
    const fault = await check();
    form.removeAttribute("aria-busy");
    wrong.textContent = fault ? fault[1] : "";
    if (!fault) return;
    fault[0].setAttribute("aria-invalid", "true");
    fault[0].setAttribute("aria-describedby", id);
    fault[0].focus();
  };
  return form;
}

function degrees(input, limit) {
  const text = input.value.trim().replace("，", ".");
  const value = Number(text);
  return text !== "" && Number.isFinite(value) && Math.abs(value) <= limit ? value : null;
}

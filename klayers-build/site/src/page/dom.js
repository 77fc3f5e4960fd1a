// Elements, and texts from packages, which are always shown as plain text.

/** Creates an element. Functions among the properties become listeners, other values attributes. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

/** Invisible characters that change how neighbouring text is shown. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A text from a package. Its writing direction does not affect the text around it. */
export function foreign(text) {
  const seen = text.replace(UNSEEN, (character) =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return element("bdi", { class: "foreign" }, seen);
}

/** The same, cut to its beginning until the user asks for more. */
export function clamped(text, limit = 140) {
  // A licence may be a whole file; longer texts are cut for good.
  const whole = text.length > 20000 ? `${text.slice(0, 20000)} …` : text;
  if (whole.length <= limit) return foreign(whole);
  const box = element("span", { class: "clamped" }, foreign(`${whole.slice(0, limit).trimEnd()} …`));
  const button = element("button", {
    type: "button",
    class: "quiet",
    "aria-expanded": "false",
    click: () => {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      button.textContent = open ? "Show less" : "Show all";
      box.firstChild.replaceWith(foreign(open ? whole : `${whole.slice(0, limit).trimEnd()} …`));
    },
  }, "Show all");
  return element("span", {}, box, " ", button);
}

/** Parses a time of the API, which is in UTC without saying so. */
export function instant(text) {
  const known = typeof text === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(text);
  const time = known ? Date.parse(`${text.slice(0, 19)}Z`) : Number.NaN;
  return Number.isNaN(time) ? undefined : new Date(time);
}

const DAY = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", timeZone: "UTC",
});

/** The day of a time. */
export function day(date) {
  return element("time", { datetime: date.toISOString(), title: date.toUTCString() }, DAY.format(date));
}

/** A number of bytes. */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  const units = ["kB", "MB", "GB"];
  let value = size / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** `1 package`, `1,000 packages`. */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** A notice for the user, with actions. */
export function notice(kind, content, action) {
  return element("div", { class: `notice ${kind}` }, element("p", {}, ...[content].flat()), action);
}

/** A button for another attempt. */
export function retry(again) {
  return element("button", { type: "button", class: "button", click: again }, "Try again");
}

/** Announces a text to screen readers. */
export function announce(message) {
  const announcer = document.getElementById("announcer");
  // Screen readers repeat the same text only if it was removed in between.
  announcer.textContent = "";
  requestAnimationFrame(() => {
    announcer.textContent = message;
  });
}

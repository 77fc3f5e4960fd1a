// Copying, also without the clipboard API, which browsers offer only with HTTPS.

import { announce, element } from "./dom.js";

/** A button that copies the result of `text` and reports the outcome. */
export function copyButton(label, what, text, properties = {}) {
  let settled;
  const button = element("button", {
    type: "button",
    class: "button",
    ...properties,
    click: async () => {
      const copied = await copy(text());
      clearTimeout(settled);
      button.dataset.copied = copied ? "yes" : "no";
      button.textContent = copied ? "Copied" : "Not copied";
      announce(copied ? `${what} copied` : `${what} could not be copied; select and copy it by hand`);
      settled = setTimeout(() => {
        delete button.dataset.copied;
        button.textContent = label;
      }, 2000);
    },
  }, label);
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

function copySelected(text) {
  const focused = document.activeElement;
  const area = element("textarea", { class: "unseen", readonly: true, "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    area.remove();
    focused?.focus();
  }
}

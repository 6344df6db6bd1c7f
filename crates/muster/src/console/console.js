// @ts-check
// What the console can do beyond links and forms. Everything here has a way without it: a page that does the same.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  /** Reads a page of ours. A page that turns out to be the sign-in page is gone to. Who waits for it sees that by the pointer. */
  let waiting = 0;
  const busy = (more) => document.body.classList.toggle("busy", (waiting += more) > 0);
  async function read(url, background) {
    const headers = { Accept: "text/html" };
    if (background) headers["Muster-Background"] = "1"; else busy(1);
    try {
      const response = await fetch(url, { headers });
      if (response.redirected && new URL(response.url).pathname === "/sign-in") location.assign(response.url);
      return new DOMParser().parseFromString(await response.text(), "text/html");
    } finally {
      if (!background) busy(-1);
    }
  }

  /** Replaces elements by those of the same id in another page; keeps focus and ticks, and what is chosen and typed if asked. */
  function swap(ids, page, keep) {
    const focused = document.activeElement?.id;
    for (const id of ids) {
      const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
      if (!old || !fresh || old.isEqualNode(fresh)) continue;
      const ticked = new Set(all("input[type=checkbox]:checked", old).map((box) => box.value));
      for (const box of all("input[type=checkbox]", fresh)) if (ticked.has(box.value)) box.checked = true;
      for (const field of keep ? all("select[id], textarea[id], input[id]:not([type=checkbox], [type=radio], [type=hidden])", old) : []) {
        const twin = $(`#${CSS.escape(field.id)}`, fresh);
        if (twin) twin.value = field.value;
      }
      old.replaceWith(document.adoptNode(fresh));
    }
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
    document.dispatchEvent(new CustomEvent("swapped"));
  }

  // [data-swap="id id"]: a link or a form whose answer replaces parts of this page, not all of it.
  async function follow(url, ids, push) {
    const page = await read(url, false);
    if (!ids.every((id) => page.getElementById(id))) return location.assign(url);
    if (push) history.pushState({ swap: ids }, "", url);
    document.title = page.title;
    swap(ids, page, false);
  }
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest("a[data-swap]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    follow(link.href, link.dataset.swap.split(" "), !link.hasAttribute("data-quiet"));
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "get" || !form.dataset.swap) return;
    event.preventDefault();
    follow(`${form.action.split("?")[0]}?${new URLSearchParams(new FormData(form))}`, form.dataset.swap.split(" "), true);
  });
  addEventListener("popstate", () => location.reload());

  // [data-dialog]: a link to a form is opened over this page. The answer to the form is a page, as it always is.
  document.addEventListener("click", async (event) => {
    const link = event.target instanceof Element && event.target.closest("a[data-dialog]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    const page = await read(link.href, false);
    const form = $("main form.form", page);
    if (!form) return location.assign(link.href);
    const dialog = document.createElement("dialog");
    const title = document.createElement("h2");
    title.textContent = $("h1", page)?.textContent ?? "";
    title.id = "dialog-title";
    dialog.setAttribute("aria-labelledby", title.id);
    const body = $("main [data-dialog-body]", page) ?? form;
    dialog.append(title, document.adoptNode(body));
    for (const cancel of all("[data-cancel]", dialog)) cancel.addEventListener("click", (e) => { e.preventDefault(); dialog.close(); });
    dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
    document.body.append(dialog);
    dialog.showModal();
    $("input:not([type=hidden]), select, textarea", dialog)?.focus();
  });

  // [data-more]: the link to the next part of a list gives its rows to this one when it comes into view.
  const nearing = new IntersectionObserver(async (seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      nearing.unobserve(target);
      const page = await read(target.href, false);
      const rows = $(target.dataset.more), fresh = $(target.dataset.more, page);
      if (!rows || !fresh) continue;
      rows.append(...Array.from(fresh.children).map((row) => document.adoptNode(row)));
      // A list that was gone along stays as it is, under the eyes of whoever reads it.
      target.closest("[data-live]")?.removeAttribute("data-live");
      const next = $("a[data-more]", page);
      if (next) { target.replaceWith(document.adoptNode(next)); watch(); } else { target.remove(); }
      document.dispatchEvent(new CustomEvent("swapped"));
    }
  }, { rootMargin: "600px" });
  const watch = () => all("a[data-more]").forEach((link) => nearing.observe(link));

  // [data-picks]: a form whose ticked rows are counted. Its tools show when there are any.
  function picks() {
    for (const form of all("form[data-picks]")) {
      const boxes = all("input[name=id]", form), ticked = boxes.filter((box) => box.checked);
      for (const box of boxes) box.closest("tr, li")?.classList.toggle("picked", box.checked);
      const tools = $("[data-picked]", form), count = $("[data-picked-count]", form), every = $("input[data-all]", form);
      if (tools) tools.hidden = ticked.length === 0;
      if (count) count.textContent = String(ticked.length);
      if (every) { every.checked = boxes.length > 0 && ticked.length === boxes.length; every.indeterminate = ticked.length > 0 && !every.checked; }
      const matching = $("[data-matching]", form);
      if (matching) matching.hidden = !(boxes.length && ticked.length === boxes.length);
    }
  }
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement)) return;
    if (box.dataset.all !== undefined) all("input[name=id]", box.form).forEach((one) => { one.checked = box.checked; });
    picks();
  });
  document.addEventListener("swapped", () => { picks(); watch(); });

  // [data-key="x"], [data-key="g x"]: keys that press what they stand on; ? lists them.
  let before = "";
  addEventListener("keydown", (event) => {
    const at = event.target;
    const typing = at instanceof HTMLElement && (at.isContentEditable || /^(input|textarea|select)$/i.test(at.tagName)) && !/^(checkbox|radio|button)$/.test(at.type);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing) { if (event.key === "Escape") at.blur(); return; }
    if (event.key === "?" && !$("dialog[open]")) return help();
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const pressed = before ? `${before} ${key}` : key;
    before = key === "g" && !before ? "g" : "";
    const found = all("[data-key]", $("dialog[open]") ?? document).find((el) => el.dataset.key === pressed && el.getClientRects().length);
    if (!found) return;
    event.preventDefault();
    if (/^(input|textarea|select)$/i.test(found.tagName)) { found.focus(); found.select?.(); } else found.click();
  });
  function help() {
    const dialog = document.createElement("dialog"), title = document.createElement("h2"), list = document.createElement("dl");
    title.textContent = "Keys";
    title.id = "dialog-title";
    dialog.setAttribute("aria-labelledby", title.id);
    list.className = "keys";
    for (const el of all("[data-key]")) {
      const [dt, dd, key] = ["dt", "dd", "kbd"].map((name) => document.createElement(name));
      key.textContent = el.dataset.key;
      dd.textContent = el.dataset.keyName ?? el.getAttribute("aria-label") ?? el.innerText.replace(/\s+/g, " ").trim();
      dt.append(key);
      list.append(dt, dd);
    }
    const close = document.createElement("button");
    close.textContent = "Close";
    close.autofocus = true;
    close.addEventListener("click", () => dialog.close());
    dialog.append(title, list, close);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  // [data-live]: parts of this page that are read again when the server says that something changed, while it is looked at;
  // [data-live="/steps"]: from there, where this page can also be the answer to a form.
  // Many consoles hear of the same change: each waits a little, so that they do not all ask in the same instant.
  const SPREAD_MS_MAX = 250;
  let stream = null, reading = false, again = false, soon = 0;
  const changed = () => { soon ||= setTimeout(() => { soon = 0; refresh(); }, Math.random() * SPREAD_MS_MAX); };
  async function refresh() {
    if (reading) { again = true; return; }
    reading = true;
    try {
      const parts = all("[data-live][id]").filter((el) => !el.contains($("dialog[open]")));
      const source = (el) => el.dataset.live || location.href;
      for (const url of new Set(parts.map(source))) {
        // Not el.id: in a form that can be its field of this name.
        const ids = parts.filter((el) => source(el) === url).map((el) => el.getAttribute("id"));
        swap(ids, await read(url, true), true);
      }
    } catch { /* The server is away: the next event, or the stream itself, tells when it is back. */ }
    reading = false;
    if (again) { again = false; refresh(); }
  }
  function listen() {
    const wanted = !document.hidden && $("[data-live]");
    if (wanted && !stream) {
      stream = new EventSource("/live");
      stream.addEventListener("open", () => document.body.classList.add("live"));
      stream.addEventListener("error", () => document.body.classList.remove("live"));
      stream.addEventListener("changed", changed);
    } else if (!wanted && stream) {
      stream.close();
      stream = null;
      document.body.classList.remove("live");
    }
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !stream && $("[data-live]")) refresh(); listen(); });
  addEventListener("pagehide", () => { stream?.close(); stream = null; });
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });

  // [data-preview="id"] on a form: what it would make is shown in that part while it is written.
  let written = 0;
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form?.dataset.preview) return;
    clearTimeout(written);
    written = setTimeout(async () => {
      const body = new URLSearchParams(new FormData(form));
      body.set("preview", "yes");
      const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
      swap([form.dataset.preview], new DOMParser().parseFromString(await response.text(), "text/html"));
    }, 200);
  });

  // [data-gone="10"]: what is offered for so many seconds goes away after them.
  for (const el of all("[data-gone]")) setTimeout(() => el.remove(), Number(el.dataset.gone) * 1000);

  // [data-copy="id"]: copies the text of that element.
  const copying = () => all("[data-copy]").forEach((button) => { button.hidden = !navigator.clipboard; });
  document.addEventListener("swapped", copying);
  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-copy]");
    if (!button) return;
    const said = button.textContent;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = said; }, 2000);
  });

  // [data-clock]: the time that is left until then, in minutes and seconds.
  setInterval(() => {
    for (const clock of all("time[data-clock]")) {
      const left = Math.max(0, Math.floor((Date.parse(clock.dateTime) - Date.now()) / 1000));
      clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    }
  }, 1000);

  // [data-decide]: in a form with several decisions, Enter means the one that was pressed last, when its reason was missing.
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-decide] button[value]");
    if (button?.value) $("button", button.form).value = button.value;
  });

  // [data-drop] on a form: a file that is dropped anywhere on its page is the form's.
  const dropped = () => $("form[data-drop] input[type=file]");
  for (const hint of all(".dropped[hidden]")) hint.hidden = false;
  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      const input = dropped();
      if (!input || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      input.closest(".field").classList.toggle("over", kind === "dragover");
      if (kind !== "drop") return;
      input.files = event.dataTransfer.files;
      input.focus();
    });
  }

  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    if (event.target.method === "get") return;
    setTimeout(() => all("button", event.target).forEach((button) => { button.disabled = true; }));
  });
  addEventListener("pageshow", () => all("form button").forEach((button) => { button.disabled = false; }));

  watch();
  picks();
  copying();
  listen();
})();

// Replaces the parts of a page that changed when the server says so. What is being typed stays.
"use strict";
(() => {
  const main = document.querySelector("main[data-events]");
  if (!main) return;
  let working = false;
  let again = false;
  async function refresh() {
    if (working) {
      again = true;
      return;
    }
    working = true;
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html" } });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        document.title = fresh.title;
        for (const part of document.querySelectorAll("[data-live]")) {
          const newer = fresh.getElementById(part.id);
          if (newer && newer.innerHTML !== part.innerHTML) part.replaceChildren(...newer.childNodes);
        }
      }
    } finally {
      working = false;
      if (again) {
        again = false;
        refresh();
      }
    }
  }
  const source = new EventSource(main.dataset.events);
  source.onmessage = refresh;
  // What happened before the connection stood, or while it was lost, is only known by looking.
  source.onopen = refresh;
})();

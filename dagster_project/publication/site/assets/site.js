// What the pages do better with a script: sorting, searching, scrolling by keyboard, opening what a link leads to. They can be read without it.
"use strict";
(function () {
  const number = (text) => {
    const day = text.match(/^(\d\d)\.(\d\d)\.(\d{4})$/) || text.match(/^(\d{4})-(\d\d)-(\d\d)$/);
    if (day) return Number(day[1].length === 4 ? day[1] + day[2] + day[3] : day[3] + day[2] + day[1]);
    const plain = text.replace(/[\s\u00a0\u202f%]/g, "").replace(",", ".");
    const found = plain.match(/^-?\d+(\.\d+)?/);
    return found ? Number(found[0]) : null;
  };
  const compare = (a, b, collator) => {
    const x = number(a), y = number(b);
    if (x !== null && y !== null) return x - y;
    return collator.compare(a, b);
  };
  document.documentElement.classList.add("js");
  const collator = new Intl.Collator(document.documentElement.lang);
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const cell = table.tBodies[0] && table.tBodies[0].rows[0] && table.tBodies[0].rows[0].cells[column];
      if (!cell || head.classList.contains("track")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows];
        const text = new Map(rows.map((row) => [row, row.cells[column].textContent.trim()]));
        const known = (row) => text.get(row) !== "" && text.get(row) !== "\u2013";
        rows.sort((a, b) => {
          if (known(a) !== known(b)) return known(a) ? -1 : 1;
          return compare(text.get(a), text.get(b), collator) * (down ? -1 : 1);
        });
        table.tBodies[0].append(...rows);
      });
    });
  }
  for (const input of document.querySelectorAll("input[data-table]")) {
    const rows = [...document.getElementById(input.dataset.table).tBodies[0].rows];
    const status = input.parentElement.querySelector("[role=status]");
    const texts = rows.map((row) => row.textContent.toLowerCase());
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      rows.forEach((row, i) => {
        row.hidden = !texts[i].includes(wanted);
        shown += row.hidden ? 0 : 1;
      });
      status.textContent = !wanted ? "" : shown ? shown + " " + status.dataset.found : status.dataset.none;
    });
  }
  // what can be scrolled sideways can be reached by the keyboard, and is called what its heading says
  const boxes = [...document.querySelectorAll(".wide")];
  const reachable = new ResizeObserver(() => {
    for (const box of boxes) {
      const heading = box.closest("section, details, main").querySelector("h2, summary, h1");
      const wide = box.scrollWidth > box.clientWidth;
      for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", heading.textContent.trim()]]) {
        if (wide) box.setAttribute(name, value); else box.removeAttribute(name);
      }
    }
  });
  boxes.forEach((box) => reachable.observe(box));
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", open);
  open();
})();

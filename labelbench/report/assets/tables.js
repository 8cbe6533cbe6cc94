"use strict";
// Tables are sorted by the buttons in their headings; commands are copied; a run that is linked to is opened.
(() => {
  const said = document.getElementById("said");
  const collator = new Intl.Collator("en", { numeric: true });

  function sort(heading) {
    const table = heading.closest("table");
    const place = heading.cellIndex;
    const numbers = heading.classList.contains("number");
    const name = heading.textContent.trim();
    // The best first: of numbers the highest, unless the heading says that lower is better.
    const first = numbers && !name.endsWith("↓") ? "descending" : "ascending";
    const before = heading.getAttribute("aria-sort");
    const direction = before === null ? first : before === "ascending" ? "descending" : "ascending";
    const sign = direction === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row, row.cells[place].textContent.trim()]);
    rows.sort(([, left], [, right]) => {
      if (!numbers) return sign * collator.compare(left, right);
      const [one, other] = [parseFloat(left), parseFloat(right)];
      // What has no number stands last, whichever way.
      if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other);
      return sign * (one - other);
    });
    body.append(...rows.map(([row]) => row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction);
    said.textContent = `Sorted by ${name}, ${direction}`;
  }

  for (const button of document.querySelectorAll("table.sortable thead button")) {
    button.addEventListener("click", () => sort(button.closest("th")));
  }

  for (const button of document.querySelectorAll("button.copy")) {
    const text = button.parentElement.querySelector("pre");
    button.addEventListener("click", async () => {
      getSelection().selectAllChildren(text);
      try {
        await navigator.clipboard.writeText(text.textContent);
        said.textContent = "Copied";
      } catch {
        // Not every browser lets a file write to the clipboard; what is selected can be copied by hand.
        said.textContent = "Selected";
      }
      button.textContent = said.textContent;
    });
  }

  function open() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.matches("details.run")) target.open = true;
  }
  addEventListener("hashchange", open);
  open();
})();

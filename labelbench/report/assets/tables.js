"use strict";
// Tables are sorted by the buttons in their headings, copied and saved; commands are copied.
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

  // What was selected can be copied by hand where a browser lets no file write to the clipboard.
  async function copy(button, selected, text) {
    getSelection().selectAllChildren(selected);
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied";
    } catch {
      said.textContent = "Selected";
    }
    button.textContent = said.textContent;
  }

  for (const button of document.querySelectorAll("button.copy")) {
    const text = button.parentElement.querySelector("pre");
    button.addEventListener("click", () => copy(button, text, text.textContent));
  }

  // The rows that are shown, in their order.
  const cells = (table) => [...table.rows]
    .filter((row) => !row.hidden)
    .map((row) => [...row.cells].map((cell) => cell.textContent.replace(/\s+/g, " ").trim()));
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  for (const button of document.querySelectorAll("button[data-take]")) {
    const table = button.parentElement.nextElementSibling.querySelector("table");
    button.addEventListener("click", () => {
      if (button.dataset.take === "copy") {
        copy(button, table, cells(table).map((row) => row.join("\t")).join("\n"));
        return;
      }
      const lines = cells(table).map((row) => row.map(quoted).join(","));
      const link = document.createElement("a");
      // A mark of the encoding, which spreadsheets ask for.
      link.href = URL.createObjectURL(new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv" }));
      link.download = button.dataset.file;
      link.click();
      URL.revokeObjectURL(link.href);
      said.textContent = "Saved";
    });
  }
})();

"use strict";
// Which labels, data set and backbone are shown. Elements say what they are about in data-label, data-dataset and
// data-backbone; what is about something else is hidden.
const choosing = (() => {
  const form = document.getElementById("filter");
  const boxes = form ? [...form.querySelectorAll('input[name="label"]')] : [];
  const find = document.getElementById("find");
  const listeners = [];
  let labels = new Set(boxes.map((box) => box.value));

  const of = (name) => (form && form.elements[name] ? form.elements[name].value : "");

  function shows({ label, dataset, backbone }) {
    return (
      (label === undefined || labels.has(label)) &&
      (dataset === undefined || !of("dataset") || of("dataset") === dataset) &&
      (backbone === undefined || !of("backbone") || of("backbone") === backbone)
    );
  }

  function apply() {
    const part = find ? find.value.trim().toLowerCase() : "";
    const found = boxes.filter((box) => box.value.toLowerCase().includes(part));
    for (const box of boxes) box.closest("li").hidden = !found.includes(box);
    labels = new Set(found.filter((box) => box.checked).map((box) => box.value));
    const status = document.getElementById("chosen");
    if (status) status.textContent = `${labels.size} of ${boxes.length} labels`;
    for (const element of document.querySelectorAll("[data-label], [data-dataset]")) {
      element.hidden = !shows(element.dataset);
    }
    for (const listener of listeners) listener();
  }

  if (form) {
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const button of form.querySelectorAll("[data-check]")) {
      button.addEventListener("click", () => {
        for (const box of boxes) if (!box.closest("li").hidden) box.checked = button.dataset.check === "all";
        apply();
      });
    }
    // Beside the text there is room for it; above the text it would cover what it filters.
    if (matchMedia("(max-width: 60rem)").matches) document.getElementById("chooser").open = false;
    // Browsers keep what was chosen before a page is loaded again.
    addEventListener("pageshow", apply);
  }
  return { shows, apply, listen: (listener) => listeners.push(listener) };
})();

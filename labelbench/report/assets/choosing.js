"use strict";
// Which labels, data set and backbone are shown. Elements say what they are about in data-label, data-dataset and
// data-backbone; what is about something else is hidden. What is chosen lives in the address, behind the place on the
// page: #leaderboard&label=speech&label=constant&backbone=vgg19.
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
    history.replaceState(null, "", address(place()));
  }

  const place = () => decodeURIComponent(location.hash.slice(1).split("&")[0]);

  // The address of a place on the page as it is filtered now.
  function address(where) {
    const chosen = new URLSearchParams();
    if (labels.size < boxes.length) {
      for (const label of labels) chosen.append("label", label);
      if (!labels.size) chosen.append("label", "");
    }
    for (const name of ["dataset", "backbone"]) if (of(name)) chosen.append(name, of(name));
    const filters = chosen.toString();
    return filters || where ? `#${encodeURIComponent(where)}${filters ? `&${filters}` : ""}` : location.href.split("#")[0];
  }

  // Take the filters that the address has, and say whether it has any.
  function read() {
    const [where, ...filters] = location.hash.slice(1).split("&");
    const chosen = new URLSearchParams(filters.join("&"));
    if (form && filters.length) {
      const wanted = chosen.getAll("label");
      for (const box of boxes) box.checked = !wanted.length || wanted.includes(box.value);
      for (const name of ["dataset", "backbone"]) {
        if (form.elements[name]) form.elements[name].value = chosen.get(name) || "";
      }
    }
    const target = where && document.getElementById(decodeURIComponent(where));
    if (target && target.matches("details")) target.open = true;
    if (target && filters.length) target.scrollIntoView();
    return filters.length > 0;
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
    // Browsers keep what was chosen before a page is loaded again; the address says more.
    addEventListener("pageshow", () => { read(); apply(); });
  }
  // A link to another place keeps the filters in the address.
  addEventListener("hashchange", () => {
    if (read()) apply();
    else history.replaceState(null, "", address(place()));
  });
  read();
  return { shows, apply, listen: (listener) => listeners.push(listener) };
})();

"use strict";
// Searching, filtering and sorting tables; the page is complete without it.
// One entry of a table is a row, or a whole body where the table says data-entries="bodies".
const entriesOf = (table) => (table.dataset.entries ? [...table.tBodies] : [...table.tBodies[0].rows]);

for (const input of document.querySelectorAll("[data-filter]")) {
  const entries = entriesOf(document.getElementById(input.dataset.filter));
  const tools = input.closest(".tools");
  const output = tools.querySelector("output");
  const choices = [...tools.querySelectorAll("select")];
  const texts = new Map();
  const textOf = (entry) => {
    if (!texts.has(entry)) texts.set(entry, entry.textContent.toLowerCase());
    return texts.get(entry);
  };
  tools.hidden = false;
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = choices.filter((choice) => choice.value);
    let found = 0;
    for (const entry of entries) {
      entry.hidden = !(
        chosen.every((choice) => entry.dataset[choice.name] === choice.value) &&
        words.every((word) => textOf(entry).includes(word))
      );
      found += entry.hidden ? 0 : 1;
    }
    output.value = words.length || chosen.length ? `${found} of ${entries.length}` : "";
  };
  for (const control of [input, ...choices]) control.addEventListener("input", filter);
}

const keyOf = (entry, column, kind) => {
  const cell = (entry.rows ? entry.rows[0] : entry).cells[column];
  return kind === "number" ? Number(cell.dataset.key) : cell.textContent.trim();
};
const collator = new Intl.Collator("en", { numeric: true });
const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));

for (const heading of document.querySelectorAll("th[data-sort]")) {
  const { sort: kind } = heading.dataset;
  const button = document.createElement("button");
  button.type = "button";
  button.append(...heading.childNodes);
  heading.append(button);
  button.addEventListener("click", () => {
    const column = heading.cellIndex;
    const table = heading.closest("table");
    // Numbers begin with the largest, texts with the first of the alphabet.
    const before = heading.getAttribute("aria-sort");
    const first = kind === "number" ? "descending" : "ascending";
    const other = kind === "number" ? "ascending" : "descending";
    const order = before === first ? other : first;
    const sign = order === "ascending" ? 1 : -1;
    const sorted = entriesOf(table)
      .map((entry) => ({ entry, key: keyOf(entry, column, kind) }))
      .sort((a, b) => sign * compare(a.key, b.key))
      .map(({ entry }) => entry);
    (table.dataset.entries ? table : table.tBodies[0]).append(...sorted);
    for (const cell of heading.parentNode.cells) cell.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order);
  });
}


// A file's own report opens below its row, by a button, or by an address with its name.
const table = document.getElementById("input-table");

const show = (body, open) => {
  body.rows[1].hidden = !open;
  body.querySelector("details").open = open;
  body.querySelector("th button").setAttribute("aria-expanded", String(open));
};

for (const body of table ? table.tBodies : []) {
  const [row, own] = body.rows;
  const heading = row.querySelector("th");
  const report = own.querySelector(".report");
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-controls", report.id);
  button.setAttribute("aria-label", `Report of ${heading.querySelector("a").textContent}`);
  heading.prepend(button);
  show(body, false);
}

const showNamed = () => {
  const report = document.getElementById(location.hash.slice(1));
  const body = report && report.closest("tbody");
  if (!body || !table.contains(body)) return;
  show(body, true);
  body.scrollIntoView({ block: "nearest" });
};

if (table) {
  table.classList.add("scripted");
  table.addEventListener("click", ({ target }) => {
    const button = target.closest("tbody th button");
    const link = target.closest("tbody th a");
    if (button) show(button.closest("tbody"), button.getAttribute("aria-expanded") !== "true");
    // A second click on the same address changes nothing that the browser would tell of.
    if (link) show(link.closest("tbody"), true);
  });
  addEventListener("hashchange", showNamed);
  showNamed();
}

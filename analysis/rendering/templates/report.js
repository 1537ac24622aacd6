"use strict";
for (const box of document.querySelectorAll("[data-table]")) {
  const controls = box.querySelector(".controls");
  const [body] = box.querySelector("table").tBodies;
  const heads = [...box.querySelectorAll("thead th")];
  const rows = [...body.rows].map((row, place) => ({
    row,
    place,
    text: row.textContent.toLowerCase(),
    facets: (row.dataset.f || "").split(","),
  }));
  const search = controls.querySelector("input");
  const selects = [...controls.querySelectorAll("select")];
  const count = controls.querySelector("output");
  const number = new Intl.NumberFormat("en");

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const entry of rows) {
      const fits =
        words.every((word) => entry.text.includes(word)) &&
        selects.every((select, index) => select.value === "" || entry.facets[index] === select.value);
      entry.row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${number.format(shown)} of ${number.format(rows.length)}`;
  };

  const put = (order) => body.append(...order.map((entry) => entry.row));
  const collator = new Intl.Collator("en", { numeric: true });

  const sort = (column) => {
    const head = heads[column];
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const numeric = "n" in head.dataset;
    const keys = new Map(
      rows.map((entry) => {
        const cell = entry.row.cells[column];
        if (!numeric) return [entry, cell.textContent];
        return [entry, "v" in cell.dataset ? Number(cell.dataset.v) : null];
      }),
    );
    const compare = (a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === null || y === null) return (x === null) - (y === null) || a.place - b.place;
      const difference = numeric ? x - y : collator.compare(x, y);
      return (up ? difference : -difference) || a.place - b.place;
    };
    put([...rows].sort(compare));
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(column));
    head.replaceChildren(button);
  });
  search.addEventListener("input", filter);
  selects.forEach((select) => select.addEventListener("change", filter));
  controls.querySelector("button").addEventListener("click", () => {
    search.value = "";
    selects.forEach((select) => (select.value = ""));
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    put(rows);
    filter();
  });
  controls.hidden = false;
  filter();
}
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("main details:not([open])")];
  opened.forEach((details) => (details.open = true));
});
addEventListener("afterprint", () => opened.forEach((details) => (details.open = false)));

// Reliability by class: a table that sorts, and the column it is sorted by as bars.

const COLUMNS = [
  { key: "pixels", name: "Pixels", unit: "%", scale: 100, says: "share of all pixels" },
  { key: "unreliable_pixels", name: "On unreliable segments", unit: "%", scale: 100, says: "share of the class's pixels that lie on segments flagged unreliable" },
  { key: "entropy", name: "Mean entropy", unit: "", scale: 1, says: "normalised entropy, 0 certain … 1 undecided" },
  { key: "segments", name: "Segments", unit: "", scale: 1, says: "number of segments" },
  { key: "unreliable", name: "Segments unreliable", unit: "%", scale: 100, says: "share of the judged segments that are flagged unreliable; a speck counts as much as the whole road" },
  { key: "p_wrong", name: "Mean P(wrong)", unit: "", scale: 1, says: "P(false positive) of the segments, mean over the pixels" },
  { key: "iou", name: "Mean predicted IoU", unit: "", scale: 1, says: "IoU that the meta model expects, mean over the pixels" },
];
const sorting = { key: "pixels", up: false };

const classTable = () => data.classes.tables[state.camera + 1];

/** Numbers of classes in the order of the sorted column; those without a value last. */
function classOrder() {
  const order = data.classes.names.map((_, n) => n);
  const sign = sorting.up ? 1 : -1;
  if (sorting.key === "name") return order.sort((a, b) => sign * data.classes.names[a].localeCompare(data.classes.names[b], "en"));
  const values = classTable()[sorting.key];
  return order.sort((a, b) => (values[a] === null) - (values[b] === null) || sign * (values[a] - values[b]) || a - b);
}

function said(column, value) {
  if (value === null) return "–";
  const scaled = value * column.scale;
  const digits = column.key === "segments" ? 0 : column.scale === 100 ? 1 : 3;
  const shown = scaled.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return column.unit ? `${shown} ${column.unit}` : shown;
}

function headCell(key, name, says) {
  const cell = document.createElement("th");
  cell.scope = "col";
  cell.className = key === "name" ? "" : "number";
  const on = sorting.key === key;
  cell.setAttribute("aria-sort", on ? (sorting.up ? "ascending" : "descending") : "none");
  const button = element("button", name);
  button.type = "button";
  button.title = `${says}; sort`;
  button.dataset.sort = key;
  cell.append(button);
  return cell;
}

function drawClasses() {
  const shown = data.classes.names.length;
  const never = data.classes.never.length ? `Never predicted: ${data.classes.never.join(", ")}.` : "";
  byId("classes-text").textContent = shown ? never : "No pixel of this drive was given a class.";
  if (!shown) return;
  const table = classTable(), order = classOrder();
  const head = document.createElement("tr");
  head.append(headCell("name", "Class", "name of the class"), ...COLUMNS.map((c) => headCell(c.key, c.name, c.says)));
  const body = order.map((n) => {
    const line = document.createElement("tr");
    const name = element("th", data.classes.names[n]);
    name.scope = "row";
    const swatch = element("span", "");
    swatch.className = "swatch";
    swatch.style.background = data.classes.colours[n];
    name.prepend(swatch);
    const cells = COLUMNS.map((column) => {
      const cell = element("td", said(column, table[column.key][n]));
      cell.className = "number";
      return cell;
    });
    line.append(name, ...cells);
    return line;
  });
  const top = document.createElement("thead"), rows = document.createElement("tbody");
  top.append(head);
  rows.append(...body);
  byId("class-table").replaceChildren(top, rows);
  drawClassBars(order);
}

function drawClassBars(order) {
  const column = COLUMNS.find((c) => c.key === sorting.key) || COLUMNS[0];
  const values = classTable()[column.key];
  const trace = {
    type: "bar",
    orientation: "h",
    x: order.map((n) => (values[n] === null ? null : values[n] * column.scale)),
    y: order.map((_, place) => place),
    customdata: order.map((n) => plain(data.classes.names[n])),
    hovertemplate: "%{customdata}: %{x:.3~g}<extra></extra>",
    marker: { color: order.map((n) => data.classes.colours[n]), line: { color: colourOf("quiet"), width: 1 } },
  };
  const names = order.map((n) => plain(data.classes.names[n]));
  Plotly.react(byId("class-plot"), [trace], layout({
    height: 60 + 22 * order.length + 30,
    margin: { l: 10, r: 12, t: 30, b: 30 },
    title: { text: `${column.name}${column.unit ? `, ${column.unit}` : ""}`, font: { size: 13 }, x: 0, xanchor: "left", xref: "container" },
    bargap: 0.25,
    xaxis: axis({ rangemode: "tozero", fixedrange: true }),
    yaxis: axis({ tickvals: trace.y, ticktext: names, range: [order.length - 0.5, -0.5], fixedrange: true, automargin: true, ticklabelstandoff: 6 }),
  }), { ...CONFIG, displayModeBar: false });
}

function startClasses() {
  byId("class-table").addEventListener("click", (event) => {
    const button = event.target.closest("[data-sort]");
    if (!button) return;
    const key = button.dataset.sort;
    sorting.up = sorting.key === key ? !sorting.up : key === "name";
    sorting.key = key;
    drawClasses();
    byId("class-table").querySelector(`[data-sort="${key}"]`).focus();
  });
  drawClasses();
}

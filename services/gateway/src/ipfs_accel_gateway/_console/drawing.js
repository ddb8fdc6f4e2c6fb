// Elements, numbers, tables and plots of the console. It writes text, never markup.

export const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

// Elements

function made(name, attributes, children, space) {
  const element = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...[children ?? []].flat(3).filter((each) => each !== null && each !== ""));
  return element;
}
export const h = (name, attributes, ...children) => made(name, attributes, children);
const s = (name, attributes, ...children) => made(name, attributes, children, SVG);

// Puts elements in place of others, and leaves those that are the same: what is selected or focused stays so.
export function fill(parent, children) {
  children.forEach((child, place) => {
    const old = parent.childNodes[place];
    if (!old) parent.append(child);
    else if (!old.isEqualNode(child)) old.replaceWith(child);
  });
  while (parent.childNodes.length > children.length) parent.lastChild.remove();
}

// Numbers

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
export const count = (value) => (Math.abs(value) < 10000 ? whole.format(Math.round(value)) : short.format(value));
export const dollars = (value) => "$" + (value === 0 || value >= 100 ? value.toFixed(value ? 0 : 2) : value >= 0.01 ? value.toFixed(2) : value.toPrecision(2));
export const rate = (value) => (value < 10 ? value.toFixed(1) : count(value));
export function seconds(value) {
  if (value < 0.001) return `${+(value * 1e6).toPrecision(2)} µs`;
  if (value < 1) return `${+(value * 1000).toPrecision(3)} ms`;
  return value < 120 ? `${+value.toPrecision(3)} s` : `${Math.round(value / 60)} min`;
}
export function span(value) {
  const [days, hours, minutes] = [Math.floor(value / 86400), Math.floor(value / 3600) % 24, Math.floor(value / 60) % 60];
  return days ? `${days} d ${hours} h` : hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${Math.floor(value)} s`;
}

// Tables

export const cell = (label, content, kind) => ({ label, content: [content ?? ""].flat(2), kind });
export const number = (label, value, note) => cell(label, [value, note ? h("small", {}, note) : ""], "n");

export function table(id, empty, rows) {
  const element = at(id);
  if (!element.tHead) element.append(h("thead", { role: "rowgroup" }), h("tbody", { role: "rowgroup" }));
  const [head, body] = [element.tHead, element.tBodies[0]];
  if (!rows.length) {
    fill(head, []);
    fill(body, [h("tr", { role: "row", class: "none" }, h("td", { role: "cell" }, h("div", {}, empty)))]);
    return;
  }
  fill(head, [
    h("tr", { role: "row" }, ...rows[0].map((each) => h("th", { role: "columnheader", scope: "col", class: each.kind }, each.label))),
  ]);
  fill(body, rows.map((row) => h("tr", { role: "row" }, ...row.map((each, place) => {
    const inner = h("div", {}, ...each.content);
    if (!place) return h("th", { role: "rowheader", scope: "row" }, inner);
    const kind = [each.kind, inner.textContent ? null : "blank"].filter(Boolean).join(" ");
    return h("td", { role: "cell", class: kind || null, "data-label": each.label }, inner);
  }))));
}

export const tag = (words, kind) => h("span", { class: kind ? `tag ${kind}` : "tag" }, words);
export const note = (...words) => h("small", {}, ...words);

export function level(used, held, most) {
  const share = (value) => Math.max(0, Math.min(100, (100 * value) / most));
  return s("svg", { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true", class: (used + held) / most > 0.9 ? "level high" : "level" },
    s("rect", { class: "ground", width: 100, height: 4 }),
    s("rect", { class: "held", width: share(used + held), height: 4 }),
    s("rect", { class: "used", width: share(used), height: 4 }));
}

// Plots

// The value below which such a share of what was counted lies, taken evenly within its bar; 0 is within the first one,
// of which nobody knows how low it goes.
function quantile(share, counts, bounds) {
  const rank = share * counts.reduce((sum, each) => sum + each, 0);
  let seen = 0;
  for (let place = 0; place < bounds.length; place++) {
    if (counts[place] && seen + counts[place] >= rank) {
      if (!place) return 0;
      return bounds[place - 1] + ((bounds[place] - bounds[place - 1]) * (rank - seen)) / counts[place];
    }
    seen += counts[place];
  }
  return Infinity;
}
function shown(value, bounds) {
  if (value === Infinity) return `> ${seconds(bounds.at(-1))}`;
  return value ? seconds(value) : `< ${seconds(bounds[0])}`;
}

export function histogram(title, counts, bounds) {
  const total = counts.reduce((sum, each) => sum + each, 0);
  const [wide, high, foot] = [320, 84, 14];
  const step = wide / counts.length;
  const most = Math.max(...counts, 1);
  const marks = total ? [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]].map(([name, share]) => [name, quantile(share, counts, bounds)]) : [];
  const words = total ? `${count(total)} · ` + marks.map(([name, value]) => `${name} ${shown(value, bounds)}`).join(" · ") : "nothing yet";
  const bars = counts.map((each, place) => s("rect", {
    x: (place * step + 1).toFixed(1), width: (step - 2).toFixed(1), rx: 1,
    y: (high - (each ? Math.max(1.5, (each / most) * (high - 4)) : 0)).toFixed(1), height: (each ? Math.max(1.5, (each / most) * (high - 4)) : 0).toFixed(1),
  }, s("title", {}, `${place ? seconds(bounds[place - 1]) : "0"} to ${place < bounds.length ? seconds(bounds[place]) : "more"}: ${count(each)}`)));
  const ticks = bounds.map((bound, place) => [bound, place]).filter(([, place]) => place % Math.ceil(bounds.length / 5) === 0).map(([bound, place]) =>
    s("text", { x: ((place + 1) * step).toFixed(1), y: high + foot - 3, "text-anchor": "middle" }, seconds(bound)));
  return h("figure", {},
    h("figcaption", {}, h("b", {}, title), h("span", {}, words)),
    s("svg", { viewBox: `0 0 ${wide} ${high + foot}`, role: "img", "aria-label": `${title}: ${words}` },
      s("g", { class: "bars" }, ...bars), s("line", { class: "axis", x1: 0, x2: wide, y1: high, y2: high }), ...ticks));
}

export function lines(title, words, series, until) {
  const [wide, high, foot] = [380, 84, 14];
  const lasts = Math.max(60, Math.min(600, until - (series[0][0]?.[0] ?? until)));
  const since = until - lasts;
  const seen = series.map((points) => points.filter(([time]) => time >= since));
  const most = Math.max(1, ...seen.flat().map(([, value]) => value));
  const place = ([time, value]) => `${(((time - since) / lasts) * wide).toFixed(1)} ${(high - (value / most) * (high - 8)).toFixed(1)}`;
  const path = (points) => "M" + points.map(place).join("L");
  const drawn = seen.flatMap((points, order) => points.length < 2 ? [] : [
    order ? "" : s("path", { class: "area", d: `${path(points)}L${place([points.at(-1)[0], 0])}L${place([points[0][0], 0])}Z` }),
    s("path", { class: order ? "line two" : "line", d: path(points) }),
  ]);
  return h("figure", {},
    h("figcaption", {}, h("b", {}, title), h("span", {}, words)),
    s("svg", { viewBox: `0 0 ${wide} ${high + foot}`, role: "img", "aria-label": `${title}: ${words}` },
      ...drawn, s("line", { class: "axis", x1: 0, x2: wide, y1: high, y2: high }),
      s("text", { x: 2, y: 9 }, rate(most)), s("text", { x: 0, y: high + foot - 3 }, `${span(lasts)} ago`),
      s("text", { x: wide, y: high + foot - 3, "text-anchor": "end" }, "now")));
}


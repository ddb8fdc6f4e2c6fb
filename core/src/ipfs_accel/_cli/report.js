"use strict";
// Of the models those stay that have each word of the filter. Without script all are there, and no filter is shown.
const filter = document.querySelector(".filter");
const input = filter.querySelector("input");
const count = filter.querySelector("output");
const none = document.querySelector(".none");
const endpoints = [...document.querySelectorAll(".endpoint")].map((details) => ({
  details,
  rows: [...details.querySelectorAll("tbody tr")],
}));
const total = endpoints.reduce((sum, { rows }) => sum + rows.length, 0);
let before = null; // which were open before there was a filter

const apply = () => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length && !before) before = endpoints.map(({ details }) => details.open);
  let shown = 0;
  endpoints.forEach(({ details, rows }, index) => {
    let kept = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => row.dataset.find.includes(word));
      kept += row.hidden ? 0 : 1;
    }
    shown += kept;
    details.hidden = kept === 0;
    if (words.length) details.open = kept > 0;
    else if (before) details.open = before[index];
  });
  if (!words.length) before = null;
  none.hidden = shown > 0;
  count.textContent = words.length ? `${shown} of ${total} models` : `${total} models`;
};

input.addEventListener("input", apply);
filter.hidden = false;
apply();

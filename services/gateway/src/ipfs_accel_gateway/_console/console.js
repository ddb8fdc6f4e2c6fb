// The console: asks the gateway every two seconds how it is, and shows it.

import { at, cell, count, dollars, fill, h, histogram, level, lines, note, number, rate, seconds, span, table, tag } from "./drawing.js";

const EVERY = 2000;
const LONGEST = 1800; // seconds of what was seen that are kept
const SPARSE = 10; // seconds between two histograms that are kept
const root = document.documentElement;

function say(words) {
  at("said").textContent = words;
}

// What was seen

const seen = { points: [], times: [], breakers: new Map(), started: 0 };

function remember(now) {
  if (now.started !== seen.started) Object.assign(seen, { points: [], times: [], started: now.started });
  const failed = (now.statuses["5xx"] ?? 0) + (now.statuses.broken ?? 0);
  seen.points.push({ time: now.time, requests: now.totals.requests, failed, tokens: now.totals.input + now.totals.output, active: now.active });
  if (!seen.times.length || now.time - seen.times.at(-1).time >= SPARSE) seen.times.push({ time: now.time, models: now.times.models });
  for (const kept of [seen.points, seen.times]) while (kept[0].time < now.time - LONGEST - SPARSE) kept.shift();
  for (const end of now.endpoints) {
    for (const { model, state } of end.breakers ?? []) {
      const name = `${end.name}/${model}`;
      const before = seen.breakers.get(name) ?? "closed";
      if (before !== state) say(`${name}: breaker is ${state.replace("_", " ")}`);
      seen.breakers.set(name, state);
    }
  }
}

function rates(field) {
  return seen.points.slice(1).map((point, place) => {
    const before = seen.points[Math.max(0, place - 2)];
    return [point.time, Math.max(0, (point[field] - before[field]) / (point.time - before.time))];
  });
}

// Sections

function traffic(now) {
  const { totals, statuses } = now;
  const failed = (statuses["5xx"] ?? 0) + (statuses.broken ?? 0);
  const speed = rates("requests").at(-1)?.[1];
  const figures = [
    ["in flight", count(now.active)],
    ["requests a second", speed === undefined ? "–" : rate(speed)],
    ["requests", count(totals.requests)],
    [totals.requests ? `failed, ${((100 * failed) / totals.requests).toFixed(1)} %` : "failed", count(failed)],
    ["refused", count(statuses["4xx"] ?? 0)],
    [totals.cached ? `tokens in, ${Math.round((100 * totals.cached) / totals.input)} % cached` : "tokens in", count(totals.input)],
    ["tokens out", count(totals.output)],
    [totals.unpriced ? `spent, ${count(totals.unpriced)} unpriced` : "spent", dollars(totals.cost)],
    ["connections", count(now.connections)],
    ...(now.memory ? [["memory", count(now.memory / 1048576), " MB"]] : []),
  ];
  fill(at("figures"), figures.map(([name, value, unit]) => h("div", {}, h("dt", {}, name), h("dd", {}, value, unit ? h("small", {}, unit) : ""))));
  const [asked, broken, tokens] = ["requests", "failed", "tokens"].map(rates);
  const active = seen.points.map(({ time, active: value }) => [time, value]);
  fill(at("lines"), [
    lines("Requests a second", `${rate(asked.at(-1)?.[1] ?? 0)} now · failed ${rate(broken.at(-1)?.[1] ?? 0)}`, [asked, broken], now.time),
    lines("In flight", `${count(now.active)} now`, [active], now.time),
    lines("Tokens a second", `${rate(tokens.at(-1)?.[1] ?? 0)} now`, [tokens], now.time),
  ]);
}

const PLOTS = [
  ["duration", "Whole request"],
  ["first", "Time to first token"],
  ["per_token", "Time per output token"],
  ["upstream", "Waited for servers"],
  ["queue", "Waited for limits"],
  ["own", "The gateway's own"],
];

function latency(now) {
  const names = Object.keys(now.times.models).sort();
  const chosen = at("of").value;
  fill(at("of"), names.map((name) => h("option", { value: name }, name || "all")));
  at("of").value = names.includes(chosen) ? chosen : "";
  const over = Number(at("over").value);
  const before = over ? seen.times.findLast(({ time }) => time <= now.time - over) ?? seen.times[0] : null;
  const lasted = before ? now.time - before.time : 0;
  at("over-note").textContent = over && lasted < over ? `seen so far: ${span(lasted)}` : "";
  const [counted, earlier] = [now.times.models[at("of").value] ?? {}, before?.models[at("of").value] ?? {}];
  fill(at("plots"), PLOTS.map(([name, title]) => {
    const bounds = now.times.bounds[name] ?? [];
    const counts = (counted[name] ?? []).map((each, place) => each - (earlier[name]?.[place] ?? 0));
    return histogram(title, counts, bounds);
  }));
}

function models(now) {
  table("served", "Nothing is served.", now.served.map((each) => [
    cell("Name", each.name),
    cell("Kind", each.kind),
    cell("Targets", each.targets.map((target, place) => (place ? [" → ", target] : target))),
    cell("Lanes", Object.entries(each.lanes).sort().map(([lane, times]) => tag(`${lane} ${count(times)}`))),
    number("Requests", count(each.requests)),
    cell("Failed", each.failed ? h("span", { class: "bad" }, count(each.failed)) : "0", "n"),
  ]));
}

const STATES = { closed: "good", half_open: "warn", open: "bad", isolated: "bad" };

function breaker({ model, state, calls, failure_rate: failing, slow_rate: slow, retry_after: wait }) {
  const more = [calls ? `${Math.round(100 * failing)} % of ${count(calls)} failed` : "", slow ? `${Math.round(100 * slow)} % slow` : "", wait ? `again in ${seconds(Math.ceil(wait))}` : ""];
  return h("div", {}, tag(state.replace("_", " "), STATES[state]), model, " ", h("span", { class: "soft" }, more.filter(Boolean).join(", ")));
}

function endpoints(now) {
  table("ends", "No endpoint is configured.", now.endpoints.map((each) => {
    const out = (each.keys ?? []).filter(({ state }) => state !== "ready");
    return [
      cell("Endpoint", each.name),
      cell("Backend", [each.backend, each.host ? note(each.host) : ""]),
      cell("Breakers", each.isolated ? tag("isolated", "bad") : each.used ? each.breakers.map(breaker) : h("span", { class: "soft" }, "not asked yet")),
      cell("Keys", (each.keys ?? []).length ? [`${each.keys.length - out.length} of ${each.keys.length} ready`, ...out.map((key) => note(`${key.id} ${key.state}`))] : ""),
      number("In flight", each.used ? count(each.active) : "", each.waiting ? `${count(each.waiting)} wait` : ""),
      number("Answered", each.used ? count(each.answered) : "", each.cached ? `${count(each.cached)} cached` : ""),
      cell("Failed", each.failed ? h("span", { class: "bad" }, count(each.failed)) : each.used ? "0" : "", "n"),
    ];
  }));
}

const LIMITS = {
  requests_per_minute: "requests a minute", tokens_per_minute: "tokens a minute",
  budget_per_day: "a day", budget_per_month: "a month", tokens_per_day: "tokens a day", tokens_per_month: "tokens a month",
};

function limit({ name, most, left }) {
  return h("div", {}, `${count(Math.max(0, left))} of ${count(most)} left `, h("span", { class: "soft" }, LIMITS[name] ?? name), level(most - left, 0, most));
}

function budget({ name, group, unit, most, spent, reserved }) {
  const told = unit === "dollars" ? dollars : count;
  const whose = group === null ? "" : `, group ${group}`;
  const held = reserved ? `, ${told(reserved)} held` : "";
  return h("div", {}, `${told(spent)} of ${told(most)} `, h("span", { class: "soft" }, `${LIMITS[name] ?? name}${whose}${held}`), level(spent, reserved, most));
}

function keys(now) {
  table("callers", "No key is wanted.", now.keys.map((each) => [
    cell("Key", [each.name || "everybody", each.owner && each.owner !== each.name ? note(each.owner) : "",
      each.expires && each.expires < now.time ? tag("expired", "bad") : "", each.expires && each.expires >= now.time ? note(`until ${new Date(each.expires * 1000).toISOString().slice(0, 10)}`) : ""]),
    cell("Models", each.models ? each.models.join(", ") : "all"),
    number("In flight", count(each.active), each.concurrency ? `of ${count(each.concurrency)}` : ""),
    cell("Limits", (each.limits ?? []).map(limit)),
    cell("Budgets", (each.budgets ?? []).map(budget)),
    number("Requests", count(each.requests)),
    number("Tokens", `${count(each.input)} in`, `${count(each.output)} out`),
    number("Spent", dollars(each.cost), each.unpriced ? `${count(each.unpriced)} unpriced` : ""),
  ]));
}

function show(now) {
  remember(now);
  at("about").textContent = [now.version, now.address.startsWith(":") ? "" : now.address, `up ${span(now.time - now.started)}`].filter(Boolean).join(" · ");
  for (const section of [traffic, latency, models, endpoints, keys]) section(now);
  at("playground").hidden = at("to-playground").hidden = now.playground === null;
  at("player").textContent = now.playground ?? "";
  at("all").hidden = document.querySelector("nav").hidden = document.querySelector(".fresh").hidden = false;
  at("gate").hidden = true;
  at("fresh").textContent = new Date(now.time * 1000).toLocaleTimeString("en-GB");
}

// Asking

let timer = 0;
let last = null;

function become(state) {
  if (root.dataset.state === state) return;
  if (state === "lost") say("The gateway does not answer.");
  if (root.dataset.state === "lost" && state === "live") say("The gateway answers again.");
  root.dataset.state = state;
}

function lock(isSpent) {
  become("locked");
  at("all").hidden = document.querySelector("nav").hidden = document.querySelector(".fresh").hidden = true;
  at("gate").hidden = false;
  at("gate-title").textContent = isSpent ? "This link is no longer good" : "A link is wanted";
}

function isPaused() {
  return at("pause").getAttribute("aria-pressed") === "true";
}

async function look() {
  clearTimeout(timer);
  if (document.hidden || isPaused()) return;
  try {
    const answer = await fetch("state", { cache: "no-store" });
    if (answer.status === 401) {
      lock(false);
      return;
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    last = await answer.json();
    show(last);
    become(isPaused() ? "paused" : "live"); // it may have been paused while it asked
  } catch (error) {
    if (!(error instanceof TypeError) && !String(error.message).startsWith("status")) console.error(error);
    become("lost");
    at("fresh").textContent = "no answer";
  }
  timer = setTimeout(look, EVERY);
}

async function enter() {
  const ticket = location.hash.slice(1);
  if (ticket.length > 30) {
    history.replaceState(null, "", location.pathname);
    const answer = await fetch("enter", { method: "POST", body: ticket }).catch(() => null);
    if (answer?.status === 403) {
      const known = await fetch("state", { cache: "no-store" });
      if (!known.ok) return lock(true);
    }
  }
  await look();
}

at("pause").addEventListener("click", () => {
  const paused = !isPaused();
  at("pause").setAttribute("aria-pressed", String(paused));
  if (paused) become("paused");
  look();
});
for (const id of ["of", "over"]) at(id).addEventListener("change", () => last && latency(last));
document.addEventListener("visibilitychange", look);
addEventListener("hashchange", enter);

// The playground

let talk = [];
let stopping = null;

function turn(role, text) {
  const item = h("li", { class: role }, text);
  at("talk").append(item);
  item.scrollIntoView({ block: "nearest" });
  return item;
}

async function* events(body) {
  let rest = "";
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + piece).split(/\r?\n\r?\n/);
    rest = parts.pop();
    for (const part of parts) {
      const data = part.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n");
      if (data && data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

async function answer(item, told) {
  const request = { model: at("model").value, messages: talk, stream: true, stream_options: { include_usage: true } };
  const response = await fetch("playground", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(request), signal: stopping.signal,
  });
  const header = (name) => response.headers.get(`x-ipfs-accel-${name}`);
  Object.assign(told, { target: header("target"), lane: header("lane") });
  if (!response.ok) throw new Error((await response.json()).error?.message ?? `status ${response.status}`);
  for await (const event of events(response.body)) {
    if (event.error) throw new Error(event.error.message);
    const text = event.choices?.[0]?.delta?.content;
    if (event.usage) told.usage = event.usage;
    if (!text) continue;
    told.first ??= performance.now();
    item.append(text);
    at("talk").scrollTop = at("talk").scrollHeight;
  }
}

function summed(told, began) {
  const tokens = told.usage ? `${count(told.usage.prompt_tokens ?? 0)} tokens in, ${count(told.usage.completion_tokens ?? 0)} out` : "";
  const first = told.first ? `first token ${seconds((told.first - began) / 1000)}` : "";
  return [told.target, told.lane, first, tokens, seconds((performance.now() - began) / 1000)].filter(Boolean).join(" · ");
}

async function send() {
  const prompt = at("prompt").value.trim();
  if (stopping || !prompt || !at("ask").reportValidity()) return;
  talk.push({ role: "user", content: prompt });
  turn("user", prompt);
  at("prompt").value = "";
  stopping = new AbortController();
  at("send").disabled = true;
  at("stop").disabled = false;
  at("talk").setAttribute("aria-busy", "true");
  at("talked").textContent = "…";
  const [item, told, began] = [turn("assistant", ""), {}, performance.now()];
  try {
    await answer(item, told);
    talk.push({ role: "assistant", content: item.textContent });
    at("talked").textContent = summed(told, began);
  } catch (error) {
    const stopped = error.name === "AbortError";
    if (stopped && item.textContent) talk.push({ role: "assistant", content: item.textContent });
    else talk.pop();
    if (!stopped) turn("failed", error.message);
    if (!item.textContent) item.remove();
    at("talked").textContent = `${stopped ? "stopped" : "failed"} · ${summed(told, began)}`;
  } finally {
    stopping = null;
    at("send").disabled = false;
    at("stop").disabled = true;
    at("talk").removeAttribute("aria-busy");
    if (document.activeElement === document.body) at("prompt").focus();
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
at("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
});
at("ask").addEventListener("keydown", (event) => {
  if (event.key === "Escape") stopping?.abort();
});
at("stop").addEventListener("click", () => stopping?.abort());
at("clear").addEventListener("click", () => {
  stopping?.abort();
  talk = [];
  fill(at("talk"), []);
  at("talked").textContent = "";
});
at("model").addEventListener("focus", async () => {
  const answered = await fetch("models");
  if (answered.ok) fill(at("names"), (await answered.json()).map((name) => h("option", { value: name })));
});

await enter();

// Plays what tools/draw.py wrote into recordings.js: the picture with a curtain over the future,
// the sentence of each event, its source line, and a question before each turning point.
"use strict";

const element = (id) => document.getElementById(id);
const all = typeof recordings === "undefined" ? [] : recordings;
const zooms = [0.5, 0.75, 1, 1.25, 1.5, 2, 3];
const usualZoom = 2;

let run = null;        // the recording that is shown
let now = 0;           // the number of its event
let answered = null;   // the questions that were answered or skipped
let question = null;   // the one that is asked
let timer = 0;         // while playing
let zoom = usualZoom;
let focusBefore = null;

function make(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function makeSvg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// ---- showing

function open(name) {
  const index = Math.max(0, all.findIndex((one) => one.name === name));
  pause();
  run = all[index];
  answered = new Set();
  element("recording").selectedIndex = index;
  element("picture").innerHTML = run.svg;
  const svg = element("picture").querySelector("svg");
  svg.removeAttribute("role");  // the sentences tell it, event by event
  svg.removeAttribute("aria-labelledby");
  svg.setAttribute("aria-hidden", "true");
  svg.querySelector("title").remove();  // its tooltip would tell the end
  const words = svg.lastElementChild;
  const [top, bottom] = run.curtain;
  words.before(
    makeSvg("rect", { class: "curtain", y: top, width: 640, height: bottom - top }),
    makeSvg("path", { class: "cursor", d: `M0 ${top}V${bottom}` }),
    makeSvg("path", { class: "now", d: "M0 0l-9 -5v10z" }));
  element("sides").classList.toggle("two", run.panels.length > 1);
  element("sides").replaceChildren(...run.panels.map((panel) => make("section", { class: "side" },
    make("h2", {}, panel.head), make("p", { class: "told" }), make("p", { class: "note" }),
    make("p", { class: "file" }), make("pre", { tabindex: "0", role: "region",
      "aria-label": `Source, ${panel.name}` }))));
  element("scrub").max = run.steps.length - 1;
  element("verdict").textContent = "";
  if (location.hash.slice(1) !== run.name) location.replace(`#${run.name}`);
  show(0);
}

function show(step) {
  now = Math.min(Math.max(step, 0), run.steps.length - 1);
  closeQuestion();
  const current = run.steps[now];
  const svg = element("picture").querySelector("svg");
  for (const drawn of svg.querySelectorAll("[data-from]")) {
    drawn.classList.toggle("future", Number(drawn.dataset.from) > now);
  }
  const isLast = now === run.steps.length - 1;
  if (isLast) pause();
  const x = isLast ? 640 : current.x + 1;
  svg.querySelector(".curtain").setAttribute("x", x);
  svg.querySelector(".cursor").setAttribute("transform", `translate(${x} 0)`);
  svg.querySelector(".now").setAttribute("transform", `translate(${x} ${current.y})`);
  scrollTo(x * svg.clientWidth / 640);

  element("scrub").value = now;
  element("count").textContent = `${now + 1} of ${run.steps.length}`;
  element("scrub").setAttribute("aria-valuetext", `event ${now + 1} of ${run.steps.length}`);
  const whose = run.panels[current.panel].name.toLowerCase();
  element("sentence").textContent = `${current.ms} ms, ${whose}: ${current.text}`;
  [...element("sides").children].forEach((side, panel) => showSide(side, panel, current));
  element("rows").replaceChildren(...run.steps.slice(0, now + 1).map((one) => make("tr", {},
    make("td", {}, one.ms), make("td", {}, run.panels[one.panel].name), make("td", {}, one.where),
    make("td", {}, one.text))));
}

function showSide(side, panel, current) {
  const past = run.steps.slice(0, now + 1).filter((one) => one.panel === panel);
  const last = past[past.length - 1];
  const noted = past.find((one) => one.note);
  const source = run.sources[(last || { source: -1 }).source];
  side.classList.toggle("active", current.panel === panel);
  const [told, note, file, code] = side.querySelectorAll("p.told, p.note, p.file, pre");
  told.textContent = last ? last.text : "Nothing yet.";
  note.className = `note ${run.panels[panel].good ? "good" : "bad"}`;
  note.textContent = noted ? `${run.panels[panel].good ? "✓" : "✗"} ${noted.note}` : "";
  file.textContent = source ? `${source.file}, line ${source.first + source.mark}` : "";
  code.hidden = !source;
  const lines = (source ? source.lines : []).map((line, number) => (
    number === source.mark ? make("span", { class: "mark" }, `▸ ${line}\n`) : `  ${line}\n`));
  code.replaceChildren(...lines);
}

function scrollTo(x) {
  const box = element("picture");
  if (x > box.scrollLeft + box.clientWidth - 60 || x < box.scrollLeft + 60) {
    box.scrollLeft = x - box.clientWidth * 0.6;
  }
}

function setZoom(index) {
  zoom = Math.min(Math.max(index, 0), zooms.length - 1);
  element("picture").style.setProperty("--zoom", zooms[zoom]);
  show(now);
}

// ---- going on

function askedAt(step) {
  return run.questions.find((one) => one.step === step && !answered.has(one));
}

/** The next event, or the question before it. */
function next() {
  if (question || now === run.steps.length - 1) return pause();
  element("verdict").textContent = "";
  const asked = askedAt(now + 1);
  if (asked) ask(asked);
  else show(now + 1);
}

function ask(asked) {
  question = asked;
  focusBefore = document.activeElement;
  element("asked").textContent = `What happens next? ${asked.question}`;
  element("answers").replaceChildren(...asked.answers.map((words, number) => {
    const button = make("button", { type: "button" }, `${number + 1}. ${words}`);
    button.addEventListener("click", () => answer(number));
    return make("li", {}, button);
  }));
  element("question").hidden = false;
  element("question").focus();
}

function closeQuestion() {
  if (!question) return;
  question = null;
  const hadFocus = element("question").contains(document.activeElement);
  element("question").hidden = true;
  const isPlace = focusBefore && focusBefore !== document.body;
  if (hadFocus) (isPlace ? focusBefore : element("picture")).focus();
}

/** The number of an answer; none: skipped. */
function answer(number) {
  const asked = question;
  if (!asked || (number !== undefined && number >= asked.answers.length)) return;
  answered.add(asked);
  show(asked.step);
  const rightly = asked.answers[asked.right];
  element("verdict").textContent = number === undefined ? "" :
    `${number === asked.right ? "Right" : `Not so: ${rightly}`}. ${asked.because}`;
}

function play() {
  if (now === run.steps.length - 1) show(0);
  timer = setInterval(() => question || next(), Number(element("pace").value));
  element("play").textContent = "Pause";
  next();
}

function pause() {
  clearInterval(timer);
  timer = 0;
  element("play").textContent = "Play";
}

/** To an event chosen by hand: no question is asked. */
function jump(step) {
  pause();
  element("verdict").textContent = "";
  show(step);
}

const commands = {
  first: () => jump(0),
  back: () => jump(now - 1),
  play: () => (timer ? pause() : play()),
  next: () => { pause(); next(); },
  last: () => jump(run.steps.length - 1),
  smaller: () => setZoom(zoom - 1),
  larger: () => setZoom(zoom + 1),
  usual: () => setZoom(usualZoom),
  skip: () => answer(),
  help: () => {
    element("keys").hidden = !element("keys").hidden;
    element("help").setAttribute("aria-expanded", String(!element("keys").hidden));
  },
  before: () => open(all[(all.indexOf(run) + all.length - 1) % all.length].name),
  after: () => open(all[(all.indexOf(run) + 1) % all.length].name),
};
const keys = { " ": "play", ArrowRight: "next", ArrowLeft: "back", Home: "first", End: "last",
               "+": "larger", "=": "larger", "-": "smaller", 0: "usual", "?": "help",
               p: "before", n: "after" };

function onKey(event) {
  const target = event.target;
  if (event.ctrlKey || event.altKey || event.metaKey || target.tagName === "SELECT") return;
  const presses = [" ", "Enter"].includes(event.key);
  if (presses && target.closest("button, summary")) return;  // the browser's own click
  const digit = "123456789".indexOf(event.key);
  const letter = event.key.length === 1 ? "abcdefghi".indexOf(event.key) : -1;
  if (question && digit + letter > -2) answer(Math.max(digit, letter));
  else if (question && ["s", "Enter"].includes(event.key)) commands.skip();
  else if (event.key in keys) commands[keys[event.key]]();
  else return;
  event.preventDefault();
}

if (all.length === 0) {
  element("missing").hidden = false;
  document.querySelector("main").hidden = true;
} else {
  element("recording").append(...all.map((one) => make("option", { value: one.name },
    `${one.name}: ${one.panels.map((panel) => panel.head).join(" | ")}`)));
  element("recording").addEventListener("change", (event) => open(event.target.value));
  element("scrub").addEventListener("input", (event) => jump(Number(event.target.value)));
  element("pace").addEventListener("change", () => { if (timer) { pause(); play(); } });
  for (const id of ["first", "back", "play", "next", "last", "smaller", "larger", "help", "skip"]) {
    element(id).addEventListener("click", commands[id]);
  }
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", () => {
    const name = location.hash.slice(1);
    if (name !== run.name && all.some((one) => one.name === name)) open(name);
  });
  open(location.hash.slice(1));
}

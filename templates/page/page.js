// The ladder, the captions and the number lines are in the page; this lights up what belongs to a step,
// and draws its packet.

const STEP_MILLISECONDS = 2200; // however fast the segments were
const OCTET = 8;
const WIDE_ROW = 32;
const NARROW_ROW = 16;
const LONGEST_DRAWN = 4 * 128; // bits; a longer field is one box
const narrow = matchMedia("(max-width: 40rem)");
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** An element with this class, text and children. */
function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

/** One exchange: its step is its whole state. */
class Exchange {
  constructor(section) {
    this.section = section;
    this.number = Number(section.dataset.number);
    this.steps = JSON.parse(section.querySelector(".data").textContent).steps;
    this.rungs = [...section.querySelectorAll(".rung")];
    this.spans = [...section.querySelectorAll(".span")];
    this.slider = section.querySelector("input[type=range]");
    this.playButton = section.querySelector("[data-go=play]");
    this.packet = new Packet(section.querySelector(".packet"));
    this.at = 0;
    this.timer = 0;
    for (const button of section.querySelectorAll("[data-go]")) {
      button.addEventListener("click", () => this.go(button.dataset.go));
    }
    this.rungs.forEach((rung, at) => rung.firstElementChild.addEventListener("click", (event) => {
      event.preventDefault(); // the address is set all the same, without a place in the history
      this.turnTo(at);
    }));
    this.slider.addEventListener("input", () => this.turnTo(Number(this.slider.value) - 1));
    this.section.querySelector("select").addEventListener("change", () => {
      if (this.timer) this.play();
    });
  }

  go(where) {
    if (where === "play") return this.timer ? this.pause() : this.play();
    const last = this.steps.length - 1;
    this.turnTo({ first: 0, back: this.at - 1, forward: this.at + 1, last }[where]);
  }

  /** By hand: whatever was playing stops. */
  turnTo(at) {
    this.pause();
    this.select(at);
  }

  play() {
    this.pause();
    if (this.at >= this.steps.length - 1) this.select(0);
    const speed = Number(this.section.querySelector("select").value);
    this.timer = setInterval(() => {
      this.select(this.at + 1);
      if (this.at >= this.steps.length - 1) this.pause();
    }, STEP_MILLISECONDS / speed);
    this.sayPlaying();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = 0;
    this.sayPlaying();
  }

  sayPlaying() {
    this.section.classList.toggle("playing", this.timer !== 0);
    this.playButton.querySelector("span").textContent = this.timer ? "Pause" : "Play";
  }

  select(wanted) {
    if (this.steps.length === 0) return;
    this.at = Math.min(Math.max(wanted, 0), this.steps.length - 1);
    const step = this.steps[this.at];
    history.replaceState(null, "", hashOf(this.number, step.n));
    this.slider.value = this.at + 1;
    this.slider.setAttribute("aria-valuetext", `step ${step.n} of ${this.steps.length}`);
    this.showRung();
    this.showCaption(step);
    for (const end of ["local", "remote"]) this.showStates(end, this.at);
    this.showNumbers(step);
    this.packet.draw(step);
  }

  showRung() {
    this.rungs.forEach((rung, at) => {
      rung.classList.toggle("now", at === this.at);
      rung.classList.toggle("to-come", at > this.at);
      if (at === this.at) rung.firstElementChild.setAttribute("aria-current", "step");
      else rung.firstElementChild.removeAttribute("aria-current");
    });
    const rung = this.rungs[this.at];
    const frame = this.section.querySelector(".scroll"); // only the ladder scrolls, never the page
    const middle = rung.offsetTop - (frame.clientHeight - rung.offsetHeight) / 2;
    frame.scrollTo({ top: middle, behavior: still.matches ? "auto" : "smooth" });
  }

  showCaption(step) {
    const said = this.rungs[this.at].querySelector(".sentence");
    const rule = said.querySelector(".rule");
    const caption = this.section.querySelector(".caption");
    caption.querySelector(".step-number").textContent = `Step ${step.n} of ${this.steps.length}`;
    caption.querySelector(".step-time").textContent = `${step.at} ms`;
    caption.querySelector(".sentence").textContent = said.firstChild?.textContent.trim() ?? "";
    caption.querySelector(".rule").textContent = rule ? rule.textContent.trim().replace(/\s+/g, " ") : "";
  }

  showStates(end, at) {
    const view = this.section.querySelector(`.state-view.${end}`);
    const walked = (way) => way.slice(1).map((to, n) => `${way[n]}>${to}`);
    const way = this.steps[at]?.[end] ?? [];
    const before = new Set(this.steps.slice(0, at).flatMap((step) => walked(step[end])));
    const now = walked(way);
    const here = way.at(-1);
    for (const node of view.querySelectorAll("[data-node]")) {
      node.classList.toggle("here", node.dataset.node === here);
    }
    const labels = [];
    for (const edge of view.querySelectorAll("[data-edge]")) {
      const walks = now.includes(edge.dataset.edge);
      edge.classList.toggle("walked", walks);
      edge.classList.toggle("behind", !walks && before.has(edge.dataset.edge));
      if (walks) labels.push(edge.dataset.label);
    }
    const state = here ? here.replace("-AGAIN", "") : "not known yet";
    view.querySelector(".state-now b").textContent = state;
    view.querySelector(".state-now span").textContent = labels.join("; ");
    view.querySelector("svg").setAttribute("aria-label", `State diagram of RFC 9293, figure 5: ${state}`);
  }

  showNumbers(step) {
    for (const span of this.spans) {
      const { sent, acknowledged } = span.dataset;
      span.classList.toggle("to-come", Number(sent) > this.at);
      span.classList.toggle("new", Number(sent) === this.at);
      span.classList.toggle("acknowledged", acknowledged !== undefined && Number(acknowledged) <= this.at);
    }
    const pairs = step.variables.map(([name, value]) => element("div", "", element("dt", "", name), element("dd", "", value)));
    this.section.querySelector(".variables").replaceChildren(...pairs);
  }
}

/** The drawing of a packet's headers, rows of 32 bits, and of one field what it means. */
class Packet {
  constructor(section) {
    this.section = section;
    this.step = null;
    this.field = null;
    this.open = new Set(["TCP header", "TCP options", "Not read further"]);
    narrow.addEventListener("change", () => this.step && this.draw(this.step));
    section.querySelector(".drawn").addEventListener("keydown", (event) => this.walk(event));
  }

  draw(step) {
    this.step = step;
    const octets = (step.packet.match(/../g) ?? []).map((digits) => parseInt(digits, 16));
    this.bits = octets.flatMap((octet) => [...octet.toString(2).padStart(OCTET, "0")]);
    this.section.querySelector(".packet-of").textContent =
      octets.length ? `of step ${step.n}, bit by bit` : `step ${step.n} carries no packet`;
    this.section.querySelector(".drawn").replaceChildren(...step.headers.map((header) => this.drawHeader(header)));
    this.section.querySelector(".table").replaceChildren(...step.headers.map((header) => this.table(header)));
    this.section.querySelector(".hex").replaceChildren(...octets.map((octet, at) => this.octet(octet, at)));
    for (const part of this.section.querySelectorAll("details.all-fields, details.octets")) part.hidden = !octets.length;
    const fields = step.headers.flatMap((header) => header.fields);
    const same = fields.find((field) => field.name === this.field?.name && field.start === this.field?.start);
    this.tell(same ?? fields.find((field) => field.name === "Sequence number") ?? fields[0]);
  }

  drawHeader(header) {
    const width = narrow.matches ? NARROW_ROW : WIDE_ROW;
    const first = header.fields[0].start;
    const box = element("details", "header");
    box.open = this.open.has(header.name);
    box.addEventListener("toggle", () => this.open[box.open ? "add" : "delete"](header.name));
    const bits = header.fields.reduce((sum, field) => sum + field.bits, 0);
    box.append(element("summary", "", element("b", "", header.name), ` ${bits / OCTET} octets`));
    const ruler = element("div", "ruler");
    ruler.ariaHidden = "true";
    ruler.append(...Array.from({ length: width }, (_, bit) => element("span", "", bit % 4 === 0 || bit === width - 1 ? `${bit}` : "")));
    const rows = element("div", "rows");
    rows.style.setProperty("--row", width);
    ruler.style.setProperty("--row", width);
    rows.append(...header.fields.flatMap((field) => this.drawField(field, field.start - first, width)));
    box.append(ruler, rows);
    return box;
  }

  /** A field is cut where its row ends; its first piece has the name and is the button. */
  drawField(field, offset, width) {
    if (field.bits > LONGEST_DRAWN) {
      const piece = this.piece(field, 0, width, 0, true);
      piece.style.gridColumn = "1 / -1";
      return [piece];
    }
    const pieces = [];
    for (let done = 0; done < field.bits; ) {
      const column = (offset + done) % width;
      const length = Math.min(field.bits - done, width - column);
      const piece = this.piece(field, done, length, length, done === 0);
      piece.style.gridColumn = `${column + 1} / span ${length}`;
      pieces.push(piece);
      done += length;
    }
    return pieces;
  }

  piece(field, from, length, drawn, named) {
    const piece = element(named ? "button" : "span", "field");
    piece.dataset.start = field.start;
    piece.style.setProperty("--bits", length);
    if (length < 3) piece.classList.add("thin");
    if (length < 8) piece.classList.add("small");
    if (named) {
      piece.type = "button";
      piece.tabIndex = -1;
      piece.setAttribute("aria-label", `${field.name}: ${field.value}`);
      piece.setAttribute("aria-describedby", this.section.querySelector(".field-note").id);
      piece.append(element("span", "name", field.name));
      if (length >= 3) piece.append(element("span", "value", field.value));
    }
    const bits = this.bits.slice(field.start + from, field.start + from + drawn);
    piece.append(element("span", "bits", ...bits.map((bit) => element("i", bit === "1" ? "set" : "", bit))));
    piece.addEventListener("click", () => this.tell(field));
    return piece;
  }

  octet(octet, at) {
    const shown = element("span", "", octet.toString(16).padStart(2, "0"));
    shown.dataset.bit = at * OCTET;
    return element("span", "", shown, " ");
  }

  table(header) {
    const row = (field) => element("tr", "",
      Object.assign(element("th", "", field.name), { scope: "row" }),
      ...[`${field.bits}`, field.value, `0x${this.hexadecimal(field)}`, field.note].map((text) => element("td", "", text)));
    const head = ["Field", "Bits", "Value", "Hexadecimal", "What it is for"].map((text) => Object.assign(element("th", "", text), { scope: "col" }));
    return element("table", "", element("caption", "", header.name),
      element("thead", "", element("tr", "", ...head)), element("tbody", "", ...header.fields.map(row)));
  }

  hexadecimal({ start, bits }) {
    const digits = this.bits.slice(start, start + Math.min(bits, LONGEST_DRAWN)).join("");
    const padded = digits.padStart(Math.ceil(digits.length / 4) * 4, "0");
    return (padded.match(/..../g) ?? []).map((four) => parseInt(four, 2).toString(16)).join("");
  }

  /** Says what a field is, and marks it in the drawing and in the octets. */
  tell(field) {
    this.field = field ?? this.field;
    const note = this.section.querySelector(".field-note");
    note.replaceChildren();
    if (!field) return;
    const size = field.bits === 1 ? "1 bit" : `${field.bits} bits`;
    note.append(element("b", "", field.name), ` ${field.value} `,
      element("code", "", `0x${this.hexadecimal(field)}`), ` ${size}. ${field.note}`);
    for (const piece of this.section.querySelectorAll(".field")) {
      const told = Number(piece.dataset.start) === field.start;
      piece.classList.toggle("told", told);
      if (piece.localName !== "button") continue;
      piece.tabIndex = told ? 0 : -1;
      piece.setAttribute("aria-pressed", told);
    }
    for (const octet of this.section.querySelectorAll(".hex [data-bit]")) {
      const bit = Number(octet.dataset.bit);
      octet.classList.toggle("told", bit + OCTET > field.start && bit < field.start + field.bits);
    }
    this.reachable();
  }

  /** One field is in the order of Tab, even if the one told of is folded away. */
  reachable() {
    for (const header of this.section.querySelectorAll(".header")) {
      const buttons = [...header.querySelectorAll("button.field")];
      if (!buttons.some((button) => button.tabIndex === 0)) buttons[0].tabIndex = 0;
    }
  }

  walk(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by || !event.target.matches("button.field")) return;
    event.preventDefault();
    event.stopPropagation();
    const buttons = [...this.section.querySelectorAll(".header[open] button.field")];
    const next = buttons[buttons.indexOf(event.target) + by];
    next?.click();
    next?.focus(); // after it: the note that describes the field is its own by now
  }
}

const exchanges = [...document.querySelectorAll("section.exchange")].map((section) => new Exchange(section));
const tabs = [...document.querySelectorAll(".exchanges a")];
let current = exchanges[0];

function hashOf(number, n) {
  return exchanges.length > 1 ? `#exchange=${number}&step=${n}` : `#step=${n}`;
}

/** Shows one exchange and hides the others. */
function show(exchange) {
  current?.pause();
  current = exchange;
  exchanges.forEach((each, at) => {
    each.section.hidden = each !== current;
    if (each === current) tabs[at]?.setAttribute("aria-current", "true");
    else tabs[at]?.removeAttribute("aria-current");
  });
}

/** Turns to what the address says; to the beginning if it says nothing. */
function follow() {
  if (exchanges.length === 0) return;
  const wanted = new URLSearchParams(location.hash.slice(1));
  const n = Number(wanted.get("step"));
  show(exchanges.find((exchange) => exchange.number === Number(wanted.get("exchange"))) ?? exchanges[0]);
  current.select(Math.max(current.steps.findIndex((step) => step.n === n), 0));
}

tabs.forEach((tab, at) => tab.addEventListener("click", (event) => {
  event.preventDefault();
  show(exchanges[at]);
  current.select(current.at);
}));

const KEYS = { ArrowLeft: "back", ArrowRight: "forward", Home: "first", End: "last", " ": "play" };

addEventListener("hashchange", follow);
addEventListener("keydown", (event) => {
  const go = KEYS[event.key];
  if (!go || !current || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest("input, select")) return; // they have their own use for these keys
  if (event.key === " " && event.target.closest("button, summary, a")) return;
  event.preventDefault();
  current.go(go);
});
// On paper, each exchange as it ended.
addEventListener("beforeprint", () => exchanges.forEach((exchange) => {
  exchange.section.hidden = false;
  for (const end of ["local", "remote"]) exchange.showStates(end, exchange.steps.length - 1);
}));
addEventListener("afterprint", follow);
follow();

// The packet of a step, drawn bit by bit.

const OCTET = 8;
const WIDE_ROW = 32;
const NARROW_ROW = 16;
const LONGEST_DRAWN = 4 * 128; // bits; a longer field is one box
const narrow = matchMedia("(max-width: 40rem)");

/** An element with this class, text and children. */
function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
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

  comeIntoView() {
    this.section.querySelector(".drawn").scrollIntoView({ block: "nearest", behavior: motion() });
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
    const isTold = (bit) => bit % 4 === 0 || bit === width - 1;
    ruler.append(...Array.from({ length: width }, (_, bit) => element("span", "", isTold(bit) ? `${bit}` : "")));
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
    const head = ["Field", "Bits", "Value", "Hexadecimal", "What it is for"].map((text) =>
      Object.assign(element("th", "", text), { scope: "col" }));
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
    note.hidden = !field;
    if (!field) return;
    const size = field.bits === 1 ? "1 bit" : `${field.bits} bits`;
    note.append(element("b", "", field.name), " ", element("span", "", field.value), " ",
      element("code", "", `0x${this.hexadecimal(field)}`), " ", element("span", "", size), element("br"), field.note);
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

// The ladder, the captions and the number lines are in the page; this lights up what belongs to a step.

const STEP_MILLISECONDS = 2200; // however fast the segments were
const still = matchMedia("(prefers-reduced-motion: reduce)");
const motion = () => (still.matches ? "auto" : "smooth");

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
      if (event.detail > 0) this.packet.comeIntoView(); // by pointer; the keyboard's focus stays where it is
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
    rememberStep(this.number, step.n);
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
    frame.scrollTo({ top: middle, behavior: motion() });
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
    if (now.length > labels.length) labels.push("a way that the figure leaves out");
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
    const before = this.steps[this.at - 1]?.variables ?? [];
    const pairs = step.variables.map(([name, meaning, value], n) =>
      element("div", before[n] && before[n][2] !== value ? "changed" : "",
        element("dt", "", element("b", "", name), ` ${meaning}`), element("dd", "", value)));
    this.section.querySelector(".variables").replaceChildren(...pairs);
  }
}

// The exchanges of the page, the address and the keys.

const exchanges = [...document.querySelectorAll("section.exchange")].map((section) => new Exchange(section));
const tabs = [...document.querySelectorAll(".exchanges a")];
const REST_MILLISECONDS = 300;
let current = exchanges[0];
let resting = 0;

/** The address follows once the reader rests: browsers allow few changes of it in a time. */
function rememberStep(number, n) {
  const hash = exchanges.length > 1 ? `#exchange=${number}&step=${n}` : `#step=${n}`;
  clearTimeout(resting);
  resting = setTimeout(() => history.replaceState(null, "", hash), REST_MILLISECONDS);
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
  if (wanted.has("step")) current.section.scrollIntoView(); // past the introduction
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

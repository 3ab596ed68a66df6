// The lesson page as a reader meets it: in Chromium, from disk. tests/page.rs writes the pages and names their
// folder in PAGES; with PICTURES, a folder, each page is photographed, too. CHROMIUM is another browser than Debian's.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const PAGES = process.env.PAGES;
const PICTURES = process.env.PICTURES;
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

let browser;
before(async () => {
  // Its sandbox needs a user that is not root; nothing but our own files is opened.
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
});
after(() => browser?.close());

/** A page that was loaded, and whatever it complained of or asked for. */
async function open(name, { hash = "", ...options } = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const wrong = [];
  const file = pathToFileURL(join(PAGES, `${name}.html`)).href;
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => request.url().split("#")[0] !== file && wrong.push(`asked for ${request.url()}`));
  await page.goto(file + hash);
  return { page, wrong, close: () => context.close() };
}

/** The steps as the JSON report tells them, an array for each exchange. */
function told(name) {
  const lines = readFileSync(join(PAGES, `${name}.json`), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  return lines.reduce((exchanges, line) => {
    if (line.type === "begin") exchanges.push([]);
    if (line.type === "step") exchanges.at(-1).push(line);
    return exchanges;
  }, []);
}

const shown = (page, selector) => page.locator(`section.exchange:not([hidden]) ${selector}`);
const text = async (page, selector) => (await shown(page, selector).innerText()).trim();
const field = async (page, name) => shown(page, `.drawn button[aria-label^="${name}: "]`).getAttribute("aria-label");

/** That what is shown of a packet is its octets, bit by bit, and the numbers that the JSON has. */
async function showsPacket(page, step) {
  const octets = await shown(page, ".hex").evaluate((hex) => hex.textContent.replaceAll(" ", ""));
  assert.equal(octets, step.packet ?? "");
  const bits = await shown(page, ".drawn").evaluate((drawn) =>
    [...drawn.querySelectorAll("i")].map((bit) => bit.textContent).join(""));
  if (step.packet === null) return assert.equal(bits, "");
  assert.equal(bits, BigInt(`0x${step.packet}`).toString(2).padStart(step.packet.length * 4, "0"));
  assert.equal(await field(page, "Sequence number"), `Sequence number: ${step.seq}`);
  assert.equal(await field(page, "Window"), `Window: ${step.window}`);
  if (step.ack !== null) {
    assert.equal(await field(page, "Acknowledgment number"), `Acknowledgment number: ${step.ack}`);
  }
  const now = await shown(page, ".rung.now").innerText();
  assert.ok(now.includes(`seq ${step.seq}`), now);
}

for (const name of ["hello", "refused", "silent", "several", "hostile"]) {
  test(`${name}: each step shows the octets and numbers of the JSON, and nothing else is asked for`, async () => {
    const { page, wrong, close } = await open(name);
    for (const [number, steps] of told(name).entries()) {
      if (number > 0) await page.locator(".exchanges a").nth(number).click();
      for (const step of steps) {
        assert.equal(await text(page, ".step-number"), `Step ${step.n} of ${steps.length}`);
        assert.equal(await text(page, ".state-view.local .state-now b"), step.state);
        await showsPacket(page, step);
        const variables = await text(page, ".variables");
        for (const value of [step.snd.una, step.snd.nxt, step.rcv.nxt]) {
          assert.match(variables, new RegExp(`\\b${value}\\b`));
        }
        await shown(page, "[data-go=forward]").click();
      }
    }
    assert.deepEqual(wrong, []);
    await close();
  });
}

test("text of a stranger stays text", async () => {
  const { page, wrong, close } = await open("hostile");
  assert.equal(await page.locator("img").count(), 0);
  assert.notEqual(await page.title(), "taken");
  assert.match(await text(page, ".caption .sentence"), /<\/script><img/);
  assert.deepEqual(wrong, []);
  await close();
});

test("numbers are taken by SYN, text and FIN, and acknowledged", async () => {
  const { page, close } = await open("hello", { hash: "#step=1" });
  const spans = () => shown(page, ".line.local .span").evaluateAll((all) =>
    all.map((span) => [span.dataset.first, span.dataset.end, span.className.replace("span ", "")]));
  assert.deepEqual(await spans(), [
    ["4321", "4322", "syn new"],
    ["4322", "4327", "text to-come"],
    ["4327", "4328", "fin to-come"],
  ]);
  await page.keyboard.press("End");
  assert.deepEqual((await spans()).map(([, , name]) => name), ["syn acknowledged", "text acknowledged", "fin acknowledged"]);
  await close();
});

test("all of it by keyboard", async () => {
  const { page, close } = await open("hello");
  await page.keyboard.press("ArrowRight");
  assert.equal(await text(page, ".step-number"), "Step 2 of 11");
  await page.waitForURL((url) => url.hash === "#step=2");
  await page.keyboard.press("End");
  assert.equal(await text(page, ".state-view.local .state-now b"), "TIME-WAIT");
  assert.equal(await text(page, ".state-view.remote .state-now b"), "CLOSED");
  await page.keyboard.press("Home");
  assert.equal(await text(page, ".state-view.remote .state-now b"), "not known yet");
  await page.keyboard.press(" ");
  assert.equal(await text(page, ".play span"), "Pause");
  await page.keyboard.press(" ");
  assert.equal(await text(page, ".play span"), "Play");
  // By Tab to the slider, to a rung and to a field.
  await shown(page, "input[type=range]").focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await text(page, ".step-number"), "Step 2 of 11");
  await shown(page, ".rung a").nth(5).focus();
  await page.keyboard.press("Enter");
  assert.equal(await text(page, ".step-number"), "Step 6 of 11");
  await shown(page, ".drawn button.told").focus();
  await page.keyboard.press("ArrowRight");
  assert.match(await text(page, ".field-note"), /^Acknowledgment number 4327/);
  assert.equal(await text(page, ".step-number"), "Step 6 of 11");
  await close();
});

test("it plays at a speed for people, to the end and no further", async () => {
  const context = await browser.newContext({ viewport: DESKTOP });
  const page = await context.newPage();
  await page.clock.install();
  await page.goto(pathToFileURL(join(PAGES, "hello.html")).href);
  await shown(page, ".play").click();
  await page.clock.runFor(2300);
  assert.equal(await text(page, ".step-number"), "Step 2 of 11");
  await page.clock.runFor(60_000);
  assert.equal(await text(page, ".step-number"), "Step 11 of 11");
  assert.equal(await text(page, ".play span"), "Play");
  await context.close();
});

test("an address names a step of an exchange", async () => {
  const { page, close } = await open("several", { hash: "#exchange=2&step=2" });
  assert.equal(await text(page, ".step-number"), "Step 2 of 2");
  assert.equal(await text(page, ".state-view.local .state-now b"), "CLOSED");
  assert.equal(await page.locator("section.exchange:not([hidden])").count(), 1);
  await close();
});

test("the theme is the reader's: the system's, light or dark", async () => {
  const { page, close } = await open("hello", { colorScheme: "dark" });
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await paper();
  await page.locator(".theme").click();
  assert.notEqual(await paper(), dark);
  await page.locator(".theme").click();
  assert.equal(await paper(), dark);
  assert.equal(await page.locator(".theme").innerText(), "Theme: dark");
  await close();
});

test("without scripts the ladder, the sentences and the numbers are there", async () => {
  const { page, wrong, close } = await open("several", { javaScriptEnabled: false });
  const body = await page.locator("body").innerText();
  assert.match(body, /SYN,ACK/);
  assert.match(body, /takes one number itself/);
  assert.match(body, /4322–4326/);
  assert.equal(await page.locator("section.exchange").count(), 2);
  assert.equal(await page.locator("button:visible, input:visible").count(), 0);
  assert.deepEqual(wrong, []);
  await close();
});

for (const colorScheme of ["light", "dark"]) {
  for (const [device, viewport] of [["desktop", DESKTOP], ["phone", PHONE]]) {
    test(`axe finds nothing on a ${device}, ${colorScheme}`, async () => {
      for (const name of ["hello", "several", "refused", "index"]) {
        const { page, close } = await open(name, { colorScheme, viewport, hash: "#step=2" });
        await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        const found = violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0].html}`);
        assert.deepEqual(found, [], name);
        await close();
      }
    });
  }
}

test("nothing is wider than the screen", async () => {
  for (const width of [320, 390, 768, 1024, 1280, 1920]) {
    for (const name of ["hello", "long", "hostile"]) {
      const { page, close } = await open(name, { viewport: { width, height: 800 } });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${name}: ${wide} of ${width}`);
      await close();
    }
  }
});

test("on paper there are all sentences and no buttons", async () => {
  const { page, close } = await open("hello");
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.locator(".rung .sentence:visible").count(), told("hello")[0].length);
  assert.equal(await page.locator(".controls:visible, .theme:visible, nav:visible").count(), 0);
  assert.equal(await text(page, ".state-view.local .state-now b"), "TIME-WAIT");
  await close();
});

test("photographs", { skip: !PICTURES }, async () => {
  const views = [
    ["desktop", { viewport: DESKTOP }, "hello", 6],
    ["dark", { viewport: DESKTOP, colorScheme: "dark" }, "hello", 2],
    ["projector", { viewport: { width: 1024, height: 768 } }, "hello", 9],
    ["phone", { viewport: PHONE, deviceScaleFactor: 2 }, "hello", 2],
    ["refused", { viewport: DESKTOP }, "several", 2],
    ["lesson", { viewport: { width: 1280, height: 1240 } }, "hello", 2],
    ["tablet", { viewport: { width: 768, height: 1024 } }, "long", 20],
    ["long", { viewport: DESKTOP }, "long", 75],
    ["silent", { viewport: DESKTOP }, "silent", 3],
    ["hostile", { viewport: DESKTOP }, "hostile", 5],
    ["index", { viewport: DESKTOP }, "index", 1],
  ];
  for (const [name, options, file, step] of views) {
    const { page, close } = await open(file, { ...options, hash: name === "refused" ? "#exchange=2&step=2" : `#step=${step}` });
    await page.screenshot({ path: join(PICTURES, `${name}.png`) });
    await page.screenshot({ path: join(PICTURES, `${name}-whole.png`), fullPage: true });
    if (name === "tablet") await page.locator("summary").evaluateAll((all) => all.forEach((summary) => summary.click()));
    if (name === "tablet") await page.screenshot({ path: join(PICTURES, "unfolded.png"), fullPage: true });
    if (name === "phone") await page.setViewportSize({ width: 390, height: 3900 });
    if (name === "phone") await page.screenshot({ path: join(PICTURES, "phone-tall.png"), scale: "css" });
    if (name === "desktop") {
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      await page.emulateMedia({ media: "print" });
      await page.setViewportSize({ width: 794, height: 1123 });
      await page.screenshot({ path: join(PICTURES, "print.png"), fullPage: true });
    }
    await close();
  }
});

// Scenarios in Chromium, one after the other: each line of input is [SCENARIO, URL, OPTIONS] as JSON.
// For each it prints a line with what it found, as JSON. Its browser ends with the input.

import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";

const modules = process.env.TFVAE_NODE_MODULES;
const { chromium } = createRequire(import.meta.url)(path.join(modules, "playwright-core"));
const FLAGS =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

const ready = (page) => page.waitForSelector('#grid[aria-busy="false"]');
const pixels = (page, id = "grid") => page.$eval(`#${id}`, (canvas) => canvas.toDataURL("image/png"));
const text = (page, id) => page.textContent(`#${id}`);
const visible = (page, id) => page.isVisible(`#${id}`);

/** Whether `act` changes what `look` sees within a few seconds. */
async function changes(page, look, act) {
  const before = String(await look());
  await act();
  for (let i = 0; i < 60; i++) {
    await page.waitForTimeout(50);
    if (String(await look()) !== before) return true;
  }
  return false;
}

/** In the page: keeps what each sheet shows, and counts the runs of the model that are under way. */
async function watch() {
  const [{ Sheet }, { Model }] = await Promise.all([import("./draw.js"), import("./model.js")]);
  const [sheets, { put }, { run }] = [{}, Sheet.prototype, Model.prototype];
  let running = 0;
  Sheet.prototype.put = function (...given) {
    sheets[this.canvas.id] = this;
    return put.apply(this, given);
  };
  Model.prototype.run = async function (...given) {
    running++;
    try {
      return await run.apply(this, given);
    } finally {
      running--;
    }
  };
  const find = (id) => document.getElementById(id);
  const busy = () => running > 0 || find("grid").ariaBusy === "true" || !(find("explore").hidden || find("explore-note").textContent);
  globalThis.untilQuiet = async () => {
    for (let calm = 0; calm < 5; calm = busy() ? 0 : calm + 1) await new Promise((resolve) => requestAnimationFrame(resolve));
  };
  globalThis.shown = () => ({
    pictures: sheets.grid.cells.map((values) => [...values]),
    range: sheets.grid.range,
    preview: sheets.preview && [...sheets.preview.cells[0]],
    dimensions: [...find("dimension-0").options].map((option) => ({ value: Number(option.value), text: option.text })),
    axes: [0, 1].map((axis) => Number(find(`dimension-${axis}`).value)),
    axesShown: [0, 1].map((axis) => find(`axis-${axis}`).checkVisibility()),
    sliders: [0, 1].map((axis) => find(`value-${axis}`).textContent),
    status: find("status").textContent,
    more: !find("next").disabled,
  });
}

const type = async (page, id, value) => {
  await page.fill(`#${id}`, String(value));
  await page.press(`#${id}`, "Enter");
};
const slide = (page, id, value) =>
  page.$eval(`#${id}`, (input, value) => {
    input.value = value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, value);

/** What a user does, by name; `next` and `previous` take how often. */
const acts = {
  seed: (page, value) => type(page, "seed", value),
  number: (page, value) => type(page, "label", value),
  label: (page, value) => page.click(`#label-buttons button:text-is("${value}")`),
  temperature: (page, value) => slide(page, "temperature", value),
  async next(page, times) {
    for (let i = 0; i < times; i++) await page.click("#next");
  },
  async previous(page, times) {
    for (let i = 0; i < times; i++) await page.click("#previous");
  },
  base: (page, value) => page.selectOption("#base", String(value)),
  /** A click on the middle of a picture of the grid, 4 in a row. */
  async picked(page, k) {
    const { width, height } = await page.locator("#grid").boundingBox();
    const position = { x: ((k % 4) + 0.5) * (width / 4), y: (Math.floor(k / 4) + 0.5) * (height / 4) };
    await page.click("#grid", { position });
  },
  dimension0: (page, value) => page.selectOption("#dimension-0", String(value)),
  dimension1: (page, value) => page.selectOption("#dimension-1", String(value)),
  slider0: (page, value) => slide(page, "slider-0", value),
  slider1: (page, value) => slide(page, "slider-1", value),
};

const scenarios = {
  /** The grid of a seed, and where everything came from. */
  async grid(page, url, { seed = 7 }) {
    await page.goto(url);
    await ready(page);
    await page.fill("#seed", "0"); // so that the seed is one that was typed
    await page.press("#seed", "Enter");
    await page.waitForFunction(() => document.getElementById("status").textContent.includes("seed 0"));
    await page.fill("#seed", String(seed));
    await page.press("#seed", "Enter");
    await page.waitForFunction((s) => document.getElementById("status").textContent.includes(`seed ${s},`), seed);
    await ready(page);
    return { grid: await pixels(page), status: await text(page, "status") };
  },

  /** Floats of a signature for several inputs, without the page: `[{ z, x }, ...]`. */
  async floats(page, url, { signature, inputs }) {
    const html = await (await fetch(url)).text();
    const map = html.match(/<script type="importmap">.*?<\/script>/)[0];
    await page.route("**/empty.html", (route) => route.fulfill({ contentType: "text/html", body: `<!doctype html>${map}<body>` }));
    await page.goto(`${url}empty.html`);
    const run = async ([signature, inputs]) => {
      const model = await (await import("./model.js")).open("model");
      const found = [];
      for (const ports of inputs) {
        const typed = Object.entries(ports).map(([k, v]) => [k, { data: new Int32Array(v), shape: [v.length] }]);
        const outputs = await model.run(signature, Object.fromEntries(typed));
        found.push(Object.fromEntries(Object.entries(outputs).map(([k, v]) => [k, [...v]])));
      }
      return found;
    };
    return { outputs: await page.evaluate(run, [signature, inputs]) };
  },

  /** Uses every control that is shown, and tells which changed something. */
  async controls(page, url, { download }) {
    await page.goto(url);
    await ready(page);
    await page.waitForFunction(() => document.querySelector("#explore").hidden || document.querySelector("#explore-note").textContent);
    const grid = () => pixels(page);
    const preview = () => pixels(page, "preview");
    const found = {};
    found.next = await changes(page, grid, () => page.click("#next"));
    await ready(page);
    found.previous = await changes(page, grid, () => page.click("#previous"));
    await ready(page);
    found.seed = await changes(page, grid, async () => {
      await page.fill("#seed", "8");
      await page.press("#seed", "Enter");
    });
    await ready(page);
    if (await visible(page, "label-buttons")) {
      found.buttons = await page.$$eval("#label-buttons button", (all) => all.map((b) => b.textContent));
      found.label = await changes(page, grid, () => page.click('#label-buttons button:text-is("3")'));
      found.pressed = await page.$$eval('#label-buttons [aria-pressed="true"]', (all) => all.map((b) => b.textContent));
    } else if (await visible(page, "label-number")) {
      found.label = await changes(page, grid, async () => {
        await page.fill("#label", "3");
        await page.press("#label", "Enter");
      });
    }
    await ready(page);
    if (await visible(page, "temperature")) {
      const before = await grid();
      found.temperature = await changes(page, grid, () => slide(page, "temperature", 0.5));
      await ready(page);
      await slide(page, "temperature", 1);
      await page.waitForTimeout(100);
      await ready(page);
      found.backAtOne = (await grid()) === before;
    }
    if (await visible(page, "explore")) {
      found.base = await changes(page, preview, () => page.selectOption("#base", "5"));
      found.picked = await changes(page, preview, () => page.click("#grid", { position: { x: 5, y: 5 } }));
      const axes = () => page.$$eval('[id^="dimension-"]', (all) => all.map((s) => s.value));
      for (const axis of [0, 1]) {
        found[`slider${axis}`] = await changes(page, preview, () => slide(page, `slider-${axis}`, 2.5));
        const last = await page.$eval(`#dimension-${axis}`, (select) => select.options[2].value);
        found[`dimension${axis}`] = await changes(page, axes, () => page.selectOption(`#dimension-${axis}`, last));
      }
      found.axes = await axes();
    }
    const [file] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
    await file.saveAs(download);
    found.download = file.suggestedFilename();
    found.grid = await grid();
    found.note = await text(page, "temperature-note");
    await page.click("summary");
    found.facts = await page.innerText("#facts");
    return found;
  },

  /** All numbers that are shown after each of `steps`, such as `{ seed: 7, temperature: 0.5 }`, done in their order. */
  async numbers(page, url, { steps }) {
    await page.goto(url);
    await ready(page);
    await page.evaluate(watch);
    const found = [];
    for (const step of steps) {
      for (const [name, value] of Object.entries(step)) {
        await acts[name](page, value);
        await page.evaluate(() => globalThis.untilQuiet());
      }
      found.push({ ...(await page.evaluate(() => globalThis.shown())), grid: await pixels(page), picture: await pixels(page, "preview") });
    }
    return { steps: found };
  },

  /** Tab to the button, Enter, arrow keys. */
  async keyboard(page, url) {
    await page.goto(url);
    await ready(page);
    const order = [];
    const focused = () => page.evaluate(() => document.activeElement.id);
    for (let i = 0; i < 30 && (await focused()) !== "next"; i++) {
      await page.keyboard.press("Tab");
      order.push(await focused());
    }
    const outline = await page.$eval("#next", (button) => getComputedStyle(button).outlineStyle);
    const next = await changes(page, () => pixels(page), () => page.keyboard.press("Enter"));
    while (order.length < 30 && (await focused()) !== "temperature") {
      await page.keyboard.press("Tab");
      order.push(await focused());
    }
    await ready(page);
    const temperature = await changes(page, () => pixels(page), () => page.keyboard.press("ArrowRight"));
    await ready(page);
    return { order, outline, next, temperature, status: await text(page, "status"), value: await text(page, "temperature-value") };
  },

  /** What the page says where something is missing, in each of several cases. */
  async problems(first, url, { cases }) {
    const found = [];
    for (const { without, missing, garbled, sidecar } of cases) {
      const page = await first.context().browser().newPage();
      if (without) await page.addInitScript((name) => delete globalThis[name], without);
      if (missing) await page.route(`**/${missing}`, (route) => route.fulfill({ status: 404, body: "" }));
      if (garbled) await page.route(`**/${garbled}`, (route) => route.fulfill({ status: 200, body: "garbled" }));
      if (sidecar) {
        await page.route("**/model.json", async (route) => {
          const told = { ...(await (await route.fetch()).json()), ...sidecar };
          for (const key of Object.keys(sidecar)) if (sidecar[key] === "ABSENT") delete told[key];
          await route.fulfill({ json: told });
        });
      }
      await page.goto(url);
      await page.waitForSelector("#problem:not([hidden])");
      const role = await page.getAttribute("#problem", "role");
      found.push({ problem: await text(page, "problem"), role, app: await visible(page, "app") });
      await page.close();
    }
    return { cases: found };
  },

  /** The page without LiteRT.js of its own, the public address answered from the npm install. */
  async address(page, url, options) {
    await page.route(/^https:/, (route) => {
      if (options.altered && route.request().url().endsWith(options.altered)) {
        return route.fulfill({ contentType: "text/javascript", headers: { "access-control-allow-origin": "*" }, body: "//" });
      }
      const file = route.request().url().match(/^https:\/\/cdn\.jsdelivr\.net\/npm\/(@litertjs\/[a-z-]+)@[\d.]+\/(.*)$/);
      if (!file) return route.abort();
      const contentType = file[2].endsWith(".wasm") ? "application/wasm" : "text/javascript";
      const headers = { "access-control-allow-origin": "*" };
      return route.fulfill({ path: path.join(modules, file[1], file[2]), contentType, headers });
    });
    if (!options.altered) return scenarios.grid(page, url, options);
    await page.goto(url);
    await page.waitForSelector("#problem:not([hidden])");
    return { problem: await text(page, "problem") };
  },

  /** What the page's policy keeps a script that got into it from doing. */
  async policy(page, url) {
    await page.goto(url);
    await ready(page);
    return page.evaluate(async () => {
      const violated = [];
      document.addEventListener("securitypolicyviolation", (event) => violated.push(event.effectiveDirective));
      document.body.append(Object.assign(document.createElement("script"), { textContent: "globalThis.ran = 1" }));
      const fetched = await fetch("https://example.org/").then(() => true, () => false);
      const base = Object.assign(document.createElement("base"), { href: "https://example.org/" });
      document.head.append(base);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return { ran: "ran" in globalThis, fetched, moved: document.baseURI.includes("example"), violated: violated.sort() };
    });
  },

  /** What the source of an app gives for calls of its class, `[method, arguments]`, and the last x on a canvas. */
  async app(page, url, { source, wasm, calls, picture }) {
    await page.goto(url);
    return page.evaluate(
      async ([source, wasm, calls, picture]) => {
        const module = await import(source);
        const [, Sampler] = Object.entries(module).find(([name]) => name.endsWith("Sampler"));
        const sampler = await Sampler.load(wasm);
        await Sampler.load(wasm); // a second one, of the same runtime
        const found = await Promise.all(calls.map(([method, ...given]) => sampler[method](...given)));
        const canvas = document.createElement("canvas");
        if (picture !== undefined) module.draw(canvas, found.at(-1), picture);
        const plain = (value) => (value instanceof Float32Array ? [...value] : Object.fromEntries(Object.entries(value).map(([name, array]) => [name, [...array]])));
        return { found: found.map(plain), canvas: canvas.toDataURL("image/png") };
      },
      [source, wasm, calls, picture],
    );
  },

  /** What a checker of accessibility finds on the page of a run, whether it fits, what the slider does; and how it is without scripts. */
  async report(first, url, { views, folder }) {
    const browser = first.context().browser();
    const found = [];
    for (const { name, ...view } of views) {
      const page = await browser.newPage({ ...view, bypassCSP: true }); // which keeps the checker out
      await page.goto(url);
      await page.addScriptTag({ path: path.join(modules, "axe-core", "axe.min.js") });
      if (folder) await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
      const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      found.push({ violations: violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 200))]), passes: passes.length, overflow });
      await page.close();
    }

    await first.goto(url);
    const frame = () => pixels(first, "frame canvas");
    const value = await changes(first, frame, () => slide(first, "value", 3));
    const latent = await changes(first, frame, () => first.selectOption("#latent", "1"));
    const said = await text(first, "said");

    const context = await browser.newContext({ javaScriptEnabled: false });
    const plain = await context.newPage();
    await plain.goto(url);
    const withoutScripts = { slider: await visible(plain, "slider"), text: await plain.innerText("main") };
    return { views: found, value, latent, said, withoutScripts };
  },

  /** What the exported model within the page of a run shows after each of `steps`, with no network; and a checker of accessibility there. */
  async live(first, url, { steps }) {
    await first.context().setOffline(true);
    await first.goto(url);
    await first.waitForSelector("#live:not([hidden]), #stopped:not([hidden])");
    const quiet = () => first.waitForFunction(() => !document.querySelector('#live [aria-busy="true"]'));
    const found = [];
    for (const { set = {}, press, pick, label } of steps) {
      for (const [latent, value] of Object.entries(set)) await slide(first, `latents [data-latent="${latent}"]`, value);
      if (press) await first.click(`#${press}`);
      if (label !== undefined) await first.selectOption("#class", String(label));
      if (pick !== undefined) await first.click(`#row button >> nth=${pick}`);
      await quiet();
      found.push(
        await first.evaluate(() => {
          const shown = (owner) => owner.querySelector("canvas")?.toDataURL("image/png") ?? [...owner.querySelectorAll("polyline")].map((line) => line.getAttribute("points"));
          return {
            moved: shown(document.getElementById("moved")),
            row: [...document.querySelectorAll("#row button")].map(shown),
            names: [...document.querySelectorAll("#row button")].map((button) => button.ariaLabel),
            latents: Object.fromEntries([...document.querySelectorAll("#latents input")].map((input) => [input.dataset.latent, input.valueAsNumber])),
            values: [...document.querySelectorAll("#latents output")].map((output) => output.textContent),
            drawn: document.getElementById("drawn").textContent,
          };
        }),
      );
    }
    const page = await first.context().browser().newPage({ bypassCSP: true }); // which keeps the checker out
    await page.goto(url);
    await page.waitForSelector("#live:not([hidden])");
    await page.addScriptTag({ path: path.join(modules, "axe-core", "axe.min.js") });
    const { violations } = await page.evaluate(() => globalThis.axe.run("#traversals"));
    return { steps: found, frames: await visible(first, "slider"), violations: violations.map(({ id }) => id) };
  },

  /** What the page of a run shows where the model within it cannot run. */
  async frames(first, url, { without }) {
    if (without) await first.addInitScript((name) => delete globalThis[name], without);
    await first.goto(url);
    await first.waitForSelector("#stopped:not([hidden])");
    const frame = () => pixels(first, "frame canvas");
    const moves = await changes(first, frame, () => slide(first, "value", 3));
    return { stopped: await text(first, "stopped"), live: await visible(first, "live"), frames: await visible(first, "slider"), moves };
  },

  /** Pictures of the page, and what does not fit, at several widths. */
  async look(page, url, { views, folder }) {
    const found = [];
    for (const { name, width, height, scheme } of views) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: scheme });
      await page.goto(url);
      await ready(page);
      await page.waitForFunction(() => document.querySelector("#explore").hidden || document.querySelector("#explore-note").textContent);
      await page.waitForTimeout(200);
      if (folder) await page.screenshot({ path: path.join(folder, `${name}.png`) });
      found.push(
        await page.evaluate(() => ({
          overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
          background: getComputedStyle(document.body).backgroundColor,
          small: [...document.querySelectorAll("button, select, input")]
            .filter((element) => element.offsetParent && element.getBoundingClientRect().height < 44)
            .map((element) => element.id),
          unnamed: [...document.querySelectorAll("button, select, input")]
            .filter((element) => !element.ariaLabel && !element.labels?.length && !element.textContent.trim())
            .map((element) => element.id),
        })),
      );
    }
    return { views: found };
  },
};

/** What a scenario found in pages of its own, and what these asked for and complained of. */
async function play(browser, name, url, options) {
  const page = await browser.newPage();
  page.setDefaultTimeout(30000);
  const [errors, requests] = [[], []];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  const found = await scenarios[name](page, url, options).catch((error) => ({ failed: String(error), errors }));
  await Promise.all(browser.contexts().map((context) => context.close()));
  return { ...found, errors, requests };
}

const browser = await chromium.launch({ executablePath: process.env.TFVAE_CHROMIUM, args: FLAGS.split(" ") });
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await play(browser, ...JSON.parse(line)))}\n`);
}
await browser.close();

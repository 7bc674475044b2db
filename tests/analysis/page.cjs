// Opens a page that hak wrote in Chromium and does what people do there:
//   node page.cjs PLAYWRIGHT FILE SCENARIO [COLOUR SCHEME] [WIDTH]
// prints what was to be seen as JSON. PLAYWRIGHT: the folder of npm's playwright-core.
'use strict';
const {pathToFileURL} = require('node:url');
const {chromium} = require(process.argv[2]);

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const [file, scenario, colorScheme = 'light', width = '1300'] = process.argv.slice(3);

const settle = (page) => page.evaluate(() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 150)))));
const shown = (page) => page.evaluate(() => ({...view, rows: rows.length, looked: lanesView.looked}));

// How many pixels the lanes have of each colour of the legend's states.
const pixels = (page) => page.evaluate(() => {
  drawNow();
  const {data: bytes} = paint.getImageData(0, 0, canvas.width, canvas.height), found = {};
  const keys = Object.fromEntries(STATE_KEYS.map((key) => [rgb(scheme()[key]).join(), key]));
  for (let i = 0; i < bytes.length; i += 4) {
    const key = keys[`${bytes[i]},${bytes[i + 1]},${bytes[i + 2]}`];
    if (key) found[key] = (found[key] || 0) + 1;
  }
  return found;
});

const table = (page, title) => page.evaluate((wanted) => {
  const head = [...document.querySelectorAll('h3')].find((one) => one.textContent === wanted || one.textContent.startsWith(`${wanted} `));
  return [...head?.nextElementSibling.querySelectorAll('tbody tr') ?? []].map((row) =>
    [...row.cells].map((cell) => cell.textContent));
}, title);

const scenarios = {
  async look(page) {
    await page.evaluate(async () => {   // charts are drawn when they come into sight
      for (let y = 0; y < document.body.scrollHeight; y += 300) {
        scrollTo(0, y);
        await new Promise((done) => setTimeout(done, 40));
      }
    });
    return {pixels: await pixels(page), ...await page.evaluate(() => ({
      title: document.title, verdict: byId('verdict').textContent, facts: byId('facts').textContent,
      findings: [...document.querySelectorAll('.finding a')].map((one) => one.textContent),
      causes: [...document.querySelectorAll('#findings summary')].map((one) => one.textContent),
      charts: charts.map((one) => one.title), drawn: charts.filter((one) => one.plot).length,
      heat: heatRows.map((row) => row.cls), intervals: made.intervals, lanes: made.lanes, lives: made.lives,
      merged: data.lanes.merged, mergedSaid: byId('merged').hidden ? '' : byId('merged').textContent,
      text: document.body.innerText, images: document.images.length,
      overflow: document.documentElement.scrollWidth - innerWidth,
      background: getComputedStyle(document.body).backgroundColor,
    })), outcomes: await table(page, 'Outcomes'), classes: await table(page, 'Classes'),
    refused: await table(page, 'Requests that every stage refused'), knobs: await table(page, 'Knobs'),
    split: await table(page, 'Where the memory of'), losses: await table(page, 'What is missing'), flows: await table(page, 'Who frees whose blocks')};
  },

  async mouse(page) {
    const seen = {before: await shown(page)};
    await page.locator('#canvas').scrollIntoViewIfNeeded();
    const box = await page.locator('#canvas').boundingBox();
    const spot = await page.evaluate(() => {   // the middle of the first lane's first life
      const row = rows.findIndex((one) => one >= 0), k = made.firstLife[rows[row]];
      return {x: (xOf(Math.max(view.from, made.begin[k])) + xOf(Math.min(view.to, made.end[k]))) / 2,
        y: AXIS + (row + 0.5) * view.height - view.top, life: k};
    });
    seen.life = spot.life;
    await page.mouse.move(box.x + spot.x, box.y + spot.y);
    seen.hover = await page.locator('#hover').innerText();
    await page.mouse.click(box.x + spot.x, box.y + spot.y);
    await settle(page);
    seen.clicked = (await shown(page)).selected;
    seen.story = await page.locator('#story').innerText();
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -400);
    await page.keyboard.up('Control');
    await settle(page);
    seen.zoomed = await shown(page);
    await page.mouse.down();
    await page.mouse.move(box.x + spot.x + 80, box.y + spot.y, {steps: 4});
    await page.mouse.up();
    await settle(page);
    seen.dragged = await shown(page);
    seen.address = page.url().split('#')[1] || '';
    return seen;
  },

  async keys(page) {
    const seen = {before: await shown(page)};
    await page.locator('#stage').focus();
    const press = async (name, key) => {
      await page.keyboard.press(key);
      await settle(page);
      seen[name] = await shown(page);
    };
    await press('zoomed', '+');
    await press('right', 'ArrowRight');
    await press('fit', 'f');
    await press('next', 'n');
    await press('after', 'n');
    await press('back', 'p');
    seen.story = await page.locator('#story').innerText();
    await press('closed', 'Escape');
    return seen;
  },

  async search(page) {
    const seen = {before: await shown(page)};
    const lane = await page.evaluate(() => {
      const one = rows.find((row) => row >= 0), ss = superslabOf(one);
      const inside = BigInt(ss.address) + (1n << BigInt(ss.lg || 21)) / BigInt(ss.slabs || 32) *
        BigInt(made.lane.slab[one]) + 100n;
      return {name: laneName(one), address: `0x${inside.toString(16)}`};
    });
    const names = () => page.evaluate(() => rows.filter((row) => row >= 0).map(laneName));
    seen.lane = lane.name;
    for (const [what, text] of [['byName', lane.name], ['byAddress', lane.address], ['nothing', 'zzz']]) {
      await page.fill('#search', text);
      await settle(page);
      seen[what] = await names();
    }
    await page.fill('#search', '');
    await page.selectOption('#group', 'superslab');
    await page.selectOption('#show', 'all');
    await page.selectOption('#colour', 'class');
    await settle(page);
    seen.all = await shown(page);
    seen.headings = await page.evaluate(() => headings);
    return seen;
  },

  // The first finding, followed.
  async finding(page) {
    const said = await page.locator('.finding a').first().innerText();
    await page.locator('.finding a').first().click();
    await settle(page);
    return {said, ...await shown(page), lanes: await page.evaluate(() =>
      rows.filter((row) => row >= 0).map((row) => made.life.cls[made.firstLife[row]])),
    story: await page.locator('#story').isVisible() ? await page.locator('#story').innerText() : ''};
  },

  async speed(page) {
    return page.evaluate(async () => {
      const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      const steps = async () => {
        const taken = [];
        for (let i = 0; i < 12; i++) {
          zoom(i < 6 ? 0.8 : 1.25);
          await frame();
          taken.push(lanesView.drawnIn);
        }
        return taken.sort((a, b) => a - b)[6];
      };
      const found = {ready: Number(document.documentElement.dataset.ready), intervals: made.intervals,
        lives: made.lives, merged: data.lanes.merged, step: await steps()};
      setView({show: 'squeezed'});
      await frame();
      return {...found, squeezed: await steps()};
    });
  },

  async print(page) {
    const pdf = await page.pdf({format: 'A4'});
    return {pdf: pdf.length, head: pdf.subarray(0, 5).toString()};
  },
};

(async () => {
  const browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: FLAGS});
  try {
    const context = await browser.newContext({offline: true, colorScheme, viewport: {width: Number(width), height: 850}});
    const page = await context.newPage(), trouble = [];
    page.on('console', (message) => message.type() === 'error' && trouble.push(message.text()));
    page.on('pageerror', (error) => trouble.push(error.message));
    page.on('dialog', (dialog) => { trouble.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
    page.on('request', (request) => /^(file|data|blob):/.test(request.url()) || trouble.push(request.url()));
    await page.goto(pathToFileURL(file).href);
    await page.waitForSelector('html[data-ready]', {timeout: 60000});
    const seen = await scenarios[scenario](page);
    process.stdout.write(JSON.stringify({...seen, trouble}));
  } finally {
    await browser.close();
  }
})().catch((error) => { process.stderr.write(`${error.stack}\n`); process.exitCode = 1; });

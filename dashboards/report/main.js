'use strict';
// Puts the page together.

function headline() {
  const names = [...new Set(report.processes.map((one) => one.name))];
  byId('title').textContent = names.length ? names.slice(0, 4).join(', ') + (names.length > 4 ? ' …' : '') : 'A recording';
  document.title = `hakmem: ${byId('title').textContent}`;
  const worst = report.findings[0], verdict = byId('verdict');
  verdict.className = worst ? `severity-${worst.severity}` : 'fine';
  verdict.textContent = worst ? sentence(worst.text) : 'Nothing to find fault with.';
  const began = new Date(report.begin / 1e6).toISOString().replace('T', ' ').slice(0, 19);
  byId('facts').textContent = [`${began} UTC`, `${duration(data.end - BEGIN)} recorded`,
    `${counted(report.events, 'event')}`, `${counted(report.processes.length, 'process', 'processes')}`,
    `${count(report.lives + report.carried)} lives of slabs`, `${counted(report.acquires, 'acquire')}`,
    report.lost.events || report.lost.packets ?
      `${counted(report.lost.events, 'event')} and ${counted(report.lost.packets, 'packet')} lost` :
      report.lost.uncounted ? 'some events lost' :
        report.lost.doubts.length || report.lost.unfinished ? 'whether events are missing is not known' : 'nothing lost',
    report.trace].join(' · ');
  byId('sections').append(...Array.from(document.querySelectorAll('main > section'), (section) =>
    element('a', {href: `#${section.id}`, onclick: (event) => { event.preventDefault(); section.scrollIntoView({behavior: 'smooth'}); }},
      section.querySelector('h2').textContent.split(/[:,]/)[0])));
}
const sentence = (text) => text.replace(/^./, (letter) => letter.toUpperCase());

function listFindings() {
  const where = document.querySelector('#findings > div');
  const words = {3: 'broken', 2: 'waste', 1: 'note'};
  where.append(...report.findings.map((one, i) => element('p', {class: `finding severity-${one.severity}`},
    element('b', {class: 'mark'}, words[one.severity]),
    element('a', {href: `#${one.at.section}`, onclick: (event) => { event.preventDefault(); goTo(report.findings[i].at); }}, sentence(one.text)))));
  if (!report.findings.length) where.append(element('p', {class: 'dim'}, 'None.'));
  if (!data.causes.length) return;
  where.append(element('h3', {}, 'Why, as hak oom sees it'), ...data.causes.map((one) => element('details', {open: ''},
    element('summary', {}, `${sentence(one.title)}: ${Math.round(100 * one.confidence)} % sure, explains ${Math.round(100 * one.weight)} %`),
    element('ul', {}, ...one.evidence.map((fact) => element('li', {}, fact.time ?
      momentLink(at(fact.time), {section: 'lanes', time: fact.time}) : null, fact.time ? ' ' : null, fact.text))),
    element('p', {}, 'Change: ', element('code', {}, one.change)))));
}

// Shows the lanes and the moment that a finding speaks of.
function goTo({section = 'lanes', cls = null, time = null, pid = null, ss = null, slab = null}) {
  const change = {selected: null, search: ''};
  const process = data.series.processes.find((one) => one.pid === pid);
  if (process && data.series.processes.length > 1) change.process = process.proc;
  if (cls !== null && cls < NONE) change.show = `class ${cls}`;
  if (ss) { change.search = `${ss} #${slab}`; change.show = 'all'; }
  if (time !== null) {
    const half = Math.min(SPAN, Math.max(SPAN / 20, 1e6)) / 2;
    Object.assign(change, {from: time - BEGIN - half, to: time - BEGIN + half});
  }
  setView(change);
  if (ss && time !== null) {
    const lane = rows.find((row) => row >= 0);
    if (lane !== undefined) {
      const k = livesOf(lane).findLast((life) => made.begin[life] <= time - BEGIN);
      if (k !== undefined) setView({selected: k});
    }
  }
  byId(section).scrollIntoView({behavior: 'smooth', block: 'start'});
}

function fillControls() {
  const show = byId('show');
  show.append(element('option', {value: 'matter'}, 'what matters most'), element('option', {value: 'all'}, 'all slabs'),
    element('option', {value: 'squeezed'}, 'all slabs, squeezed'),
    ...BY_STRIDE.filter((cls) => report.classes[cls] && (report.classes[cls].lives || report.classes[cls].carried))
      .map((cls) => element('option', {value: `class ${cls}`}, `only ${classText(cls)}`)));
  const list = data.series.processes;
  byId('whose').hidden = list.length < 2;
  byId('process').append(element('option', {value: 0}, `all (charts: ${list[0]?.name ?? ''} ${list[0]?.pid ?? ''})`),
    ...list.map((one) => element('option', {value: one.proc}, `${one.name} ${one.pid}`)));
  for (const key of ['show', 'group', 'colour', 'search'])
    byId(key).addEventListener(key === 'search' ? 'input' : 'change', (event) => setView({[key]: event.target.value, selected: null}));
  byId('process').addEventListener('change', (event) => setView({process: Number(event.target.value), selected: null}));
  const buttons = {'zoom-in': () => zoom(0.5), 'zoom-out': () => zoom(2), fit: () => setView({from: 0, to: SPAN}),
    taller: () => resizeRows(1.5), flatter: () => resizeRows(1 / 1.5)};
  for (const [id, press] of Object.entries(buttons)) byId(id).addEventListener('click', press);
  if (data.lanes.merged) {
    byId('merged').hidden = false;
    byId('merged').textContent = `${count(data.lanes.merged)} of ${count(data.lanes.lives)} lives are merged with the ones beside ` +
      'them, since they are shorter than the page can show. For each life on its own: hak report --html with --from and --to.';
  }
}

function react(change) {
  const has = (...keys) => keys.some((key) => key in change);
  for (const key of ['show', 'group', 'colour', 'search', 'process'])
    if (key in change && byId(key).value !== String(view[key])) byId(key).value = view[key];
  if (has('show', 'group', 'search', 'process', 'height')) {
    if (has('show')) view.height = view.show === 'squeezed' ? 0.5 : Math.max(DEFAULTS.height, view.height);
    arrange();
    if (has('show') && view.show === 'squeezed') { view.height = fitRows(); arrange(); }
    if (!has('height')) scroll.scrollTop = 0;
  }
  if (has('colour')) drawLegend();
  if (has('selected')) showStory();
  if (has('process')) { buildCharts(); buildHeat(); }
  if (has('from', 'to')) { followView(change); drawHeat(); }
  draw();
}

async function start() {
  headline();
  listFindings();
  fillControls();
  tabulate();
  made = await readLanes();
  byId('stage').hidden = !made.lanes;
  Object.assign(view, viewOfAddress());
  if (view.selected !== null && !(view.selected < made.lives)) view.selected = null;
  onView(react);
  listenLanes();
  setView({...view});
  drawLegend();
  drawNow();
  document.documentElement.dataset.ready = Math.round(performance.now());
  const recolour = () => { draw(); drawLegend(); drawHeat(); rebuildCharts(); };
  dark.addEventListener('change', recolour);
  let resizing = 0;
  window.addEventListener('resize', () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => { drawHeat(); for (const one of charts) one.plot?.setSize({width: one.box.clientWidth, height: one.plot.height}); }, 100);
  });
}

start().catch((error) => {
  byId('what').textContent = `This page could not be drawn (${error.message}): it needs a browser of 2023 or later.`;
  throw error;
});

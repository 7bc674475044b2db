'use strict';
// Charts over time, on the same axis as the lanes: zooming one zooms all.

const charts = [];
const TIMES = Float64Array.from({length: data.series.parts}, (_, i) =>
  (data.series.begin + i * data.series.step - report.begin) / 1e9);
const SHIFT = BEGIN - report.begin;

const processOf = (proc) => data.series.processes.find((one) => one.proc === proc);
const shownProcess = () => processOf(view.process) || data.series.processes[0];
const sumOf = (rows) => {
  const there = rows.filter(Boolean);
  if (!there.length) return null;
  return Array.from({length: data.series.parts}, (_, i) => there.reduce((sum, row) => sum + (row[i] || 0), 0));
};

// Marks where events were lost, in every chart.
function shadeLosses(plot) {
  const {ctx, bbox} = plot;
  ctx.save();
  ctx.fillStyle = `${scheme().bad}33`;
  for (const loss of report.lost.intervals) {
    const from = plot.valToPos(((loss.begin ?? BEGIN) - report.begin) / 1e9, 'x', true);
    const to = plot.valToPos(((loss.end ?? data.end) - report.begin) / 1e9, 'x', true);
    const left = Math.max(bbox.left, from);
    if (to >= bbox.left && from <= bbox.left + bbox.width)
      ctx.fillRect(left, bbox.top, Math.max(2, Math.min(to, bbox.left + bbox.width) - left), bbox.height);
  }
  ctx.restore();
}

// lines: {label, values, colour, kind: 'step' | 'bars' | 'area' | 'points', scale, unit}
function chart(where, title, lines, {unit = count, height = 170, second = null, points = TIMES} = {}) {
  lines = lines.filter((line) => line.values);
  if (!lines.length) return;
  const box = element('figure', {class: 'chart'}, element('figcaption', {}, title));
  where.append(box);
  const paths = {step: uPlot.paths.stepped({align: 1}), area: uPlot.paths.stepped({align: 1}),
    bars: uPlot.paths.bars({size: [1], align: 1}), points: () => null};
  const make = () => {
    const colours = scheme();
    const axis = {stroke: colours.dim, grid: {stroke: colours.line, width: 1}, ticks: {stroke: colours.line},
      font: '11px system-ui, "DejaVu Sans", sans-serif'};
    const options = {width: Math.max(200, box.clientWidth), height, padding: [8, 12, 0, 0],
      scales: {x: {time: false}, y: {range: (u, low, high) => [0, high > 0 ? high * 1.08 : 1]},
        ...(second ? {second: {range: (u, low, high) => [0, high > 0 ? high * 1.08 : 1]}} : {})},
      cursor: {sync: {key: 'time', setSeries: false}, drag: {x: true, y: false, setScale: false}},
      axes: [{...axis, values: (u, ticks) => ticks.map((tick) => `${+tick.toFixed(6)} s`)},
        {...axis, size: 62, values: (u, ticks) => ticks.map((tick) => unit(tick)),
          ...(unit === bytes ? {incrs: Array.from({length: 50}, (_, i) => 2 ** i)} : {})},
        ...(second ? [{...axis, side: 1, scale: 'second', size: 62, grid: {show: false},
          values: (u, ticks) => ticks.map((tick) => second(tick))}] : [])],
      series: [{label: 'time', value: (u, value) => (value === null ? '' : `${value.toFixed(6)} s`)},
        ...lines.map((line) => ({label: line.label, stroke: line.colour(), width: line.kind === 'bars' ? 0 : 1.5,
          dash: line.dash, fill: line.kind === 'area' || line.kind === 'bars' ? line.colour() : undefined,
          paths: paths[line.kind || 'step'], scale: line.scale || 'y',
          points: {show: line.kind === 'points', size: 6, fill: line.colour()},
          value: (u, value, s, i) => (value === null || value === undefined ? '' :
            (line.scale ? second : unit)(line.raw ? line.raw[i] ?? 0 : value))}))],
      hooks: {drawClear: [shadeLosses], setSelect: [(plot) => {
        if (plot.select.width < 5) return;
        const [from, to] = [plot.select.left, plot.select.left + plot.select.width]
          .map((x) => plot.posToVal(x, 'x') * 1e9 - SHIFT);
        plot.setSelect({width: 0, height: 0}, false);
        setView({from, to});
      }]}};
    return new uPlot(options, [points, ...lines.map((line) => line.values)], box);
  };
  charts.push({box, make, plot: null, stale: true, title, lines});
}

// Charts out of sight are made, and brought up to date, when they come into it.
const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const found = charts.find((one) => one.box === entry.target);
    if (!found) continue;
    found.seen = entry.isIntersecting;
    if (found.seen) refresh(found);
  }
}, {rootMargin: '300px'});

function refresh(one) {
  if (!one.plot) {
    one.plot = one.make();
    one.stale = true;
  }
  if (!one.stale) return;
  one.stale = false;
  one.plot.setScale('x', {min: (view.from + SHIFT) / 1e9, max: (view.to + SHIFT) / 1e9});
}

let settling = 0;
function followView(change) {
  if (!('from' in change) && !('to' in change)) return;
  for (const one of charts) one.stale = true;
  clearTimeout(settling);
  settling = setTimeout(() => charts.filter((one) => one.seen).forEach(refresh), 60);
}

function rebuildCharts() {
  for (const one of charts) {
    if (one.plot) one.plot.destroy();
    one.plot = null;
    if (one.seen) refresh(one);
  }
}
const chartsIn = (id) => document.querySelector(`#${id} .charts`);

function stacked(rows) {
  // Each on top of those before it; drawn from the highest down.
  let sum = new Array(data.series.parts).fill(0);
  return rows.map((row) => { sum = sum.map((value, i) => value + (row[i] || 0)); return sum; }).reverse();
}

function capOf(process, cls) {
  const changes = report.caps.filter((one) => one.pid === process.pid && one.cls === cls);
  const last = report.classes[cls]?.cap || 0, first = changes.length ? changes[0].from : last;
  if (!first && !last) return null;
  let now = first, next = 0;
  return Array.from(TIMES, (_, i) => {
    let most = now;
    const end = data.series.begin + (i + 1) * data.series.step;
    while (next < changes.length && changes[next].time < end) { now = changes[next++].to; most = Math.max(most, now); }
    return most || null;
  });
}

function chartCaps() {
  const process = shownProcess(), where = chartsIn('caps');
  const accused = report.findings.filter((one) => one.cls !== null).map((one) => one.cls);
  const weight = (cls) => (accused.includes(cls) ? 1e9 : 0) + (report.classes[cls]?.live_peak || 0);
  const there = Object.keys(process.classes).map(Number).filter((cls) => cls < NONE && process.classes[cls].active.some(Boolean))
    .sort((a, b) => weight(b) - weight(a));
  for (const cls of there) {
    const of = process.classes[cls], refused = nonzero(of.shared_fail), legacy = nonzero(of.legacy);
    const demand = report.caps.filter((one) => one.pid === process.pid && one.cls === cls && one.demand);
    chart(where, classText(cls) + (report.classes[cls]?.shared_fail ? `: ${counted(report.classes[cls].shared_fail, 'request')} refused, ${count(report.classes[cls].legacy)} blocks from legacy` : ''), [
      {label: 'refused', values: refused, colour: () => `${scheme().bad}66`, kind: 'bars', scale: 'second'},
      {label: 'legacy', values: legacy, colour: () => '#e69f00', scale: 'second'},
      {label: 'ACTIVE slabs', values: of.active, colour: () => scheme().active},
      {label: 'soft cap', values: capOf(process, cls), colour: () => scheme().bad, dash: [6, 4]},
      {label: 'demand learned', values: demand.length ? pointsAt(demand, (one) => one.demand) : null, colour: () => '#009e73', kind: 'points'},
    ], {second: refused || legacy ? count : null});
  }
}
// The last value in each part of the time, null where there is none.
function pointsAt(list, value) {
  const made = new Array(data.series.parts).fill(null);
  for (const one of list) {
    const part = Math.floor((one.time - data.series.begin) / data.series.step);
    if (part >= 0 && part < made.length) made[part] = value(one);
  }
  return made;
}

function chartStages() {
  const process = shownProcess(), of = Object.values(process.classes);
  const rows = STAGES.map((stage) => sumOf(of.map((one) => one[stage])) || new Array(data.series.parts).fill(0));
  const sums = stacked(rows);
  chart(chartsIn('stages'), `Acquires per ${duration(data.series.step)}, by the stage that served them`,
    sums.map((values, i) => ({label: `stage ${STAGE_NAMES[5 - i]}`, values, raw: rows[5 - i],
      colour: () => STAGE_COLOURS[5 - i], kind: 'bars'}))
      .filter((_, i) => rows[5 - i].some(Boolean)), {height: 220});
}

// Parts that add up to RSS, each on top of those before it.
const PART_COLOURS = {live: '#009e73', rounding: '#56b4e9', free: '#e69f00', remote: '#cc79a7', caches: '#f0e442',
  empty: '#9bd3f0', idle: '#0072b2', metadata: '#8a949e', not_ours: '#d55e00', file: '#b9c0c7'};
function chartSplit() {
  const process = shownProcess(), told = report.split.find((one) => one.pid === process.pid);
  if (!told) return;
  const names = Object.keys(PART_COLOURS), splits = told.over_time;
  const rows = names.map((name) => splits.map((split) => (name === 'file' ? split.file : split.parts[name])));
  let sum = splits.map(() => 0);
  const sums = rows.map((row) => { sum = sum.map((value, i) => value + row[i]); return sum; });
  const lines = names.map((name, i) => ({label: name.replace('_', ' '), values: sums[i], raw: rows[i],
    colour: () => PART_COLOURS[name], kind: 'area'})).filter((_, i) => rows[i].some(Boolean)).reverse();
  chart(chartsIn('memory'), 'Where the memory went: resident, in parts', lines, {unit: bytes, height: 240,
    points: Float64Array.from(splits, (split) => (split.time - report.begin) / 1e9)});
}

function chartMemory() {
  const process = shownProcess(), of = process.memory, where = chartsIn('memory');
  const dumps = report.dumps.filter((one) => one.pid === process.pid);
  const live = liveBytes(process);
  if (!of && !dumps.length && !live) return;
  chart(where, 'Mapped, resident and live', [
    {label: 'mapped', values: of && sumOf([of.tiny, of.mid, of.large, of.huge]), colour: () => scheme().active},
    {label: 'of SuperSlabs, given back', values: of?.returned.some(Boolean) ? of.returned : null, colour: () => scheme().before},
    {label: 'live in slabs', values: live, colour: () => '#009e73'},
    {label: 'RSS', values: dumps.length ? pointsAt(dumps.map((one) => ({...one, time: one.begin})), (one) => one.rss) : null,
      colour: () => '#d55e00', kind: 'points'},
  ], {unit: bytes, height: 220});
  if (of && (of.mid.some(Boolean) || of.large.some(Boolean) || of.huge.some(Boolean)))
    chart(where, 'Mapped by layer', [['SuperSlabs', 'tiny'], ['mid', 'mid'], ['large', 'large'], ['huge', 'huge']]
      .map(([label, key], i) => ({label, values: of[key].some(Boolean) ? of[key] : null,
        colour: () => ['#0072b2', '#009e73', '#e69f00', '#cc79a7'][i]})), {unit: bytes, height: 220});
}
// Bytes in blocks that are not on their slabs' freelists.
function liveBytes(process) {
  const rows = Object.entries(process.classes).filter(([cls, one]) => Number(cls) < NONE && one.used)
    .map(([cls, one]) => one.used.map((blocks) => (blocks === null ? null : blocks * data.strides[cls])));
  return rows.length ? sumOf(rows) : null;
}

function chartSizes() {
  const process = shownProcess(), classes = [...new Set(report.sizes.filter((one) => one.pid === process.pid).map((one) => one.cls))];
  chart(chartsIn('sizes'), 'Size of the SuperSlabs that each class maps', classes.map((cls) => {
    const changes = report.sizes.filter((one) => one.pid === process.pid && one.cls === cls);
    let now = changes[0].from, next = 0;
    return {label: classText(cls), colour: () => hex(classColour(cls)), values: Array.from(TIMES, (_, i) => {
      while (next < changes.length && changes[next].time < data.series.begin + (i + 1) * data.series.step) now = changes[next++].to;
      return now;
    })};
  }), {unit: bytes});
}

function chartFailures() {
  const process = shownProcess(), of = Object.values(process.classes), failed = process.failures;
  const titles = {ace_fail: 'ACE refused', oom: 'the program got NULL', hdr_reset: 'header resets',
    double_free: 'double frees', invalid_free: 'invalid frees'};
  chart(chartsIn('failures'), `Refusals and failures per ${duration(data.series.step)}`, [
    {label: 'shared_fail', values: nonzero(sumOf(of.map((one) => one.shared_fail))), colour: () => scheme().bad},
    {label: 'legacy blocks', values: nonzero(sumOf(of.map((one) => one.legacy))), colour: () => '#e69f00'},
    ...Object.entries(titles).map(([kind, label], i) => ({label, values: failed[kind] || null,
      colour: () => ['#0072b2', '#d55e00', '#cc79a7', '#009e73', '#56b4e9'][i]}))], {height: 200});
}
const nonzero = (row) => (row && row.some(Boolean) ? row : null);

function chartOccupancy() {
  const process = shownProcess(), live = liveBytes(process);
  if (!live) return;
  const held = sumOf(Object.entries(process.classes).filter(([cls]) => Number(cls) < NONE)
    .map(([cls, one]) => one.active.map((slabs) => (slabs || 0) * capacityOf(Number(cls)) * data.strides[cls])));
  chart(chartsIn('occupancy'), 'Fragmentation: how much of ACTIVE slabs is not in use', [
    {label: 'not in use', values: held.map((all, i) => (all ? Math.max(0, 1 - live[i] / all) : null)), colour: () => '#d55e00'}],
  {unit: (share) => `${(100 * share).toFixed(0)} %`, height: 150});
}

function buildCharts() {
  sight.disconnect();
  for (const one of charts) { if (one.plot) one.plot.destroy(); one.box.remove(); }
  charts.length = 0;
  if (!shownProcess()) return;
  for (const make of [chartCaps, chartStages, chartOccupancy, chartSplit, chartMemory, chartSizes, chartFailures]) make();
  for (const one of charts) sight.observe(one.box);
}

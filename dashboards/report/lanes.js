'use strict';
// The lanes: which, in what order, their canvas, mouse and keys.

const GUTTER = 150, AXIS = 22, MOST_MATTER = 40, FRAME_MS = 12, MOVING_MS = 150;
let made = null;          // of readLanes()
let rows = [];            // lanes' numbers; below 0: a heading, headings[-1 - row]
let headings = [];
const stage = byId('stage'), canvas = byId('canvas'), paint = canvas.getContext('2d');
const scroll = byId('scroll'), hover = byId('hover');
// Of the last drawing: intervals looked at, ms; of the last of all lanes: ms.
const lanesView = {looked: 0, drawnIn: 0, whole: 0, drawnAt: 0, rest: 0};

const superslabOf = (lane) => data.lanes.superslabs[made.lane.superslab[lane]];
const laneName = (lane) => `${superslabOf(lane).address} #${made.lane.slab[lane]}`;
const classOf = (lane) => made.life.cls[made.firstLife[lane + 1] - 1];

// ---- which lanes ----

// Lanes worth a look first: those that findings and failures name, then what falls out of line.
function scores() {
  const score = new Float64Array(made.lanes), byPlace = new Map();
  for (let lane = 0; lane < made.lanes; lane++) {
    const ss = superslabOf(lane);
    byPlace.set(`${ss.address} ${made.lane.slab[lane]}`, lane);
    let stranded = 0;
    for (let i = made.first[lane]; i < made.first[lane + 1]; i++)
      if (made.state[i] === STATE.UNLISTED) stranded += made.to[i] - made.from[i];
    score[lane] = stranded / SPAN + Math.min(1, made.lane.count[lane] / 1000) +
      (made.spells.has(lane) ? 0.5 : 0);
  }
  const raise = (ss, slab, by) => {
    const lane = byPlace.get(`${ss} ${slab}`);
    if (lane !== undefined) score[lane] += by;
  };
  for (const kind of ['hdr_reset', 'double_free', 'invalid_free'])
    for (const row of report.failures[kind]) raise(row.ss, row.slab, 1000);
  for (const rank of Object.values(report.worst))
    for (const row of rank) raise(row.ss, row.slab, 5);
  const accused = new Set(report.findings.filter((one) => one.severity > 1 && one.cls !== null)
    .map((one) => one.cls));
  for (let lane = 0; lane < made.lanes; lane++) if (accused.has(classOf(lane))) score[lane] += 100;
  return score;
}
let score = null;

function searched(lane) {
  const text = view.search.trim().toLowerCase();
  if (!text) return true;
  const cls = /^c(\d+)$/.exec(text);
  if (cls) return livesOf(lane).some((k) => made.life.cls[k] === Number(cls[1]));
  const ss = superslabOf(lane), place = /^0x[0-9a-f]+$/.test(text) ? BigInt(text) : null;
  if (place !== null && text.length > 8) {   // an address within the slab's SuperSlab
    const base = BigInt(ss.address), size = 1n << BigInt(ss.lg || 21);
    if (place > base && place < base + size) {
      const slabs = BigInt(ss.slabs || 32), slab = Number((place - base) / (size / slabs));
      return slab === made.lane.slab[lane];
    }
  }
  return laneName(lane).toLowerCase().includes(text);
}
function livesOf(lane) {
  return Array.from({length: made.firstLife[lane + 1] - made.firstLife[lane]},
    (_, k) => made.firstLife[lane] + k);
}

function arrange() {
  score = score || scores();
  let chosen = [];
  for (let lane = 0; lane < made.lanes; lane++) {
    if (view.process && superslabOf(lane).proc !== view.process) continue;
    const only = /^class (\d+)$/.exec(view.show);
    if (only && !livesOf(lane).some((k) => made.life.cls[k] === Number(only[1]))) continue;
    if (searched(lane)) chosen.push(lane);
  }
  const all = chosen.length;
  if (view.show === 'matter' && !view.search && chosen.length > MOST_MATTER)
    chosen = chosen.sort((a, b) => score[b] - score[a]).slice(0, MOST_MATTER);
  const groupOf = view.group === 'class' ? classOf : (lane) => made.lane.superslab[lane];
  const rank = new Map();
  for (const lane of chosen) rank.set(groupOf(lane), Math.max(rank.get(groupOf(lane)) || 0, score[lane]));
  chosen.sort((a, b) => rank.get(groupOf(b)) - rank.get(groupOf(a)) || groupOf(a) - groupOf(b) ||
    score[b] - score[a] || a - b);
  rows = [];
  headings = [];
  let group = null;
  for (const lane of chosen) {
    if (groupOf(lane) !== group && view.height >= 8) {
      group = groupOf(lane);
      headings.push(headingOf(lane));
      rows.push(-headings.length);
    }
    rows.push(lane);
  }
  byId('what').textContent = !all ? 'No slab is like that.' : chosen.length < all ?
    `The ${chosen.length} of ${counted(all, 'slab')} that matter most: what findings name first.` :
    `${counted(all, 'slab')}${view.height < 1 ? ': several share a row of pixels, blended' : ''}.`;
  scroll.firstElementChild.style.height = `${rows.length * view.height + AXIS}px`;
}

function headingOf(lane) {
  if (view.group === 'class') return classText(classOf(lane));
  const ss = superslabOf(lane);
  return ss.lg ? `${ss.address}, ${bytes(2 ** ss.lg)}` : ss.address;
}

// ---- drawing ----

function paletteOf() {
  if (view.colour === 'class') return data.strides.map((_, cls) => classColour(cls)).concat([[128, 128, 128]]);
  if (view.colour === 'stage') return [...STAGE_COLOURS.map(rgb), rgb(scheme().before)];
  return STATE_KEYS.map((key) => rgb(scheme()[key]));
}
// Colours other than the state's are for slabs in use; EMPTY ones stay pale.
const kept = {};
function coloursOf() {
  const {state, of, life, intervals} = made;
  if (view.colour === 'state') return state;
  if (kept[view.colour]) return kept[view.colour];
  const column = view.colour === 'class' ? life.cls : life.stage;
  const most = view.colour === 'class' ? data.strides.length : STAGES.length;
  const colours = new Uint8Array(intervals).fill(NONE);
  for (let i = 0; i < intervals; i++)
    if (state[i] === STATE.ACTIVE || state[i] === STATE.BEFORE || state[i] === STATE.PUBLISHED)
      colours[i] = Math.min(column[of[i]], most);
  return (kept[view.colour] = colours);
}

const gutter = () => Math.min(GUTTER, stage.clientWidth * 0.3);
const plotWidth = () => Math.max(50, stage.clientWidth - 14 - gutter());
const xOf = (time) => gutter() + (time - view.from) / (view.to - view.from) * plotWidth();
const timeAt = (x) => view.from + (x - gutter()) / plotWidth() * (view.to - view.from);
const firstRow = () => Math.floor(view.top / view.height);

let waiting = false;
function draw() {
  if (waiting || !made) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; drawNow(); });
}

function drawNow() {
  const began = performance.now(), ratio = window.devicePixelRatio || 1;
  const high = Math.min(520, Math.max(160, rows.length * view.height + AXIS + 4));
  stage.style.height = `${high}px`;
  view.top = Math.max(0, Math.min(view.top, rows.length * view.height + AXIS - high));
  const wide = stage.clientWidth - 14;
  canvas.style.width = `${wide}px`;
  canvas.style.height = `${high}px`;
  canvas.width = wide * ratio;
  canvas.height = high * ratio;
  const colours = scheme(), shown = rows.slice(firstRow(), firstRow() + Math.ceil(high / view.height) + 1);
  const image = paint.createImageData(Math.round(plotWidth() * ratio),
    Math.max(1, Math.round((high - AXIS) * ratio)));
  const thin = thinning(began);
  lanesView.looked = rasterise(image, made, thin > 1 ? shown.filter((_, i) => i % thin === 0) : shown, {
    from: view.from, to: view.to,
    height: view.height >= 1 ? Math.round(view.height * ratio) : view.height * ratio * thin,
    width: image.width, colours: coloursOf(), palette: paletteOf(), ground: rgb(colours.ground)});
  paint.putImageData(image, Math.round(gutter() * ratio), AXIS * ratio);
  paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  const step = view.height >= 1 ? Math.round(view.height * ratio) / ratio : view.height;
  drawLosses(high, colours);
  drawNames(shown, step, colours);
  drawFailures(shown, step, colours);
  drawAxis(colours);
  drawSelected(shown, step, colours);
  lanesView.drawnIn = performance.now() - began;
  if (thin === 1) lanesView.whole = lanesView.drawnIn;
}

// Where lanes share rows of pixels and there are too many for a frame, some are left out while
// the view moves; all are there as soon as it rests.
function thinning(now) {
  const moving = now - lanesView.drawnAt < MOVING_MS;
  lanesView.drawnAt = now;
  clearTimeout(lanesView.rest);
  if (view.height >= 0.5 || !moving || lanesView.whole < FRAME_MS) return 1;
  lanesView.rest = setTimeout(() => { lanesView.drawnAt = 0; draw(); }, MOVING_MS);
  return Math.min(Math.floor(0.5 / view.height) || 1, Math.ceil(lanesView.whole / FRAME_MS));
}

function drawNames(shown, step, colours) {
  paint.textBaseline = 'middle';
  shown.forEach((row, i) => {
    const y = AXIS + i * step;
    if (row < 0) {
      paint.fillStyle = colours.panel;
      paint.fillRect(0, y, canvas.width, step - 1);
      paint.fillStyle = colours.ink;
      paint.font = `600 ${Math.min(12, step - 2)}px system-ui, "DejaVu Sans", sans-serif`;
      paint.fillText(headings[-1 - row], 4, y + step / 2, gutter() + 200);
    } else if (step >= 9) {
      paint.fillStyle = colours.dim;
      paint.font = `${Math.min(11, step - 2)}px ui-monospace, "DejaVu Sans Mono", monospace`;
      paint.fillText(laneName(row), 10, y + step / 2, gutter() - 14);
    }
  });
}

function drawAxis(colours) {
  const span = view.to - view.from, ideal = span / Math.max(2, plotWidth() / 110);
  const power = 10 ** Math.floor(Math.log10(ideal));
  const tick = [1, 2, 5, 10].map((by) => by * power).find((by) => by >= ideal);
  const digits = Math.max(0, Math.min(9, -Math.floor(Math.log10(tick / 1e9))));
  const shift = BEGIN - report.begin;
  paint.fillStyle = colours.ground;
  paint.fillRect(0, 0, stage.clientWidth, AXIS);
  paint.font = '11px system-ui, "DejaVu Sans", sans-serif';
  for (let time = Math.ceil((view.from + shift) / tick) * tick - shift; time <= view.to; time += tick) {
    const x = xOf(time);
    paint.fillStyle = colours.line;
    paint.fillRect(x, AXIS - 5, 1, 5);
    paint.fillStyle = colours.dim;
    paint.fillText(`${((time + shift) / 1e9).toFixed(digits)} s`, x + 3, AXIS / 2);
  }
}

function drawLosses(high, colours) {
  paint.fillStyle = `${colours.bad}33`;
  for (const loss of report.lost.intervals) {
    const from = xOf(Math.max(0, (loss.begin ?? BEGIN) - BEGIN)), to = xOf((loss.end ?? data.end) - BEGIN);
    if (to >= gutter() && from <= stage.clientWidth)
      paint.fillRect(Math.max(gutter(), from), AXIS, Math.max(2, to - Math.max(gutter(), from)), high);
  }
}

const markers = ['hdr_reset', 'double_free', 'invalid_free'].flatMap((kind) =>
  report.failures[kind].filter((row) => row.ss !== null && row.ss !== undefined).map((row) => ({kind, ...row})));
function drawFailures(shown, step, colours) {
  paint.fillStyle = colours.bad;
  for (const mark of markers) {
    const i = shown.findIndex((row) => row >= 0 && superslabOf(row).address === mark.ss &&
      made.lane.slab[row] === mark.slab);
    const x = xOf(mark.time - BEGIN);
    if (i < 0 || x < gutter()) continue;
    const y = AXIS + i * step;
    paint.beginPath();
    paint.moveTo(x - 5, y);
    paint.lineTo(x + 5, y);
    paint.lineTo(x, y + Math.min(9, step));
    paint.fill();
  }
}

function drawSelected(shown, step, colours) {
  if (view.selected === null) return;
  const i = shown.indexOf(made.laneOf[view.selected]);
  if (i < 0) return;
  const from = Math.max(gutter(), xOf(made.begin[view.selected]));
  const to = Math.max(from + 3, xOf(made.end[view.selected]));
  paint.strokeStyle = colours.ink;
  paint.lineWidth = 2;
  paint.strokeRect(from, AXIS + i * step, to - from, Math.max(3, step - 1));
}

function drawLegend() {
  const entries = view.colour === 'state' ? STATE_KEYS.map((key, i) => [scheme()[key], STATE_WORDS[i]]) :
    view.colour === 'stage' ? [...STAGE_COLOURS.map((colour, i) => [colour, `stage ${STAGE_NAMES[i]}`]),
      [scheme().before, 'not recorded']] :
      BY_STRIDE.filter((cls) => report.classes[cls]).map((cls) => [hex(classColour(cls)), classText(cls)]);
  byId('legend').replaceChildren(...entries.map(([colour, text]) =>
    element('span', {}, swatch(colour), text)),
  ...(markers.length ? [element('span', {}, element('b', {class: 'bad'}, '▼ '), 'header reset, double or invalid free')] : []),
  ...(report.lost.intervals.length ? [element('span', {}, swatch(`${scheme().bad}55`), 'events lost')] : []));
}
function swatch(colour) {
  const made = element('i', {class: 'swatch'});
  made.style.background = colour;
  return made;
}

// ---- what is under the mouse ----

function lifeAt(x, y) {
  const row = rows[firstRow() + Math.floor((y - AXIS) / view.height)];
  if (y < AXIS || x < gutter() || row === undefined || row < 0) return null;
  // What is narrower than a pixel can be hit too.
  const reach = (view.to - view.from) / plotWidth(), time = timeAt(x);
  let best = null;
  for (let i = firstAfter(made, row, time - reach); i < made.first[row + 1] && made.from[i] <= time + reach; i++)
    if (!best || made.from[i] <= time) best = {lane: row, interval: i, life: made.of[i]};
  return best;
}

function showHover(event) {
  const box = canvas.getBoundingClientRect();
  const found = made && lifeAt(event.clientX - box.left, event.clientY - box.top);
  hover.hidden = !found;
  if (!found) return;
  const {interval: i, life: k, lane} = found;
  hover.replaceChildren(
    element('b', {}, `${laneName(lane)}, ${classText(made.life.cls[k])}`), element('br'),
    `${STATE_WORDS[made.state[i]]}, ${at(BEGIN + made.from[i])} to ${at(BEGIN + made.to[i])}, ` +
    duration(made.to[i] - made.from[i]),
    ...(made.life.merged[k] ? [element('br'), `${count(made.life.merged[k] + 1)} lives merged here`] : []));
  const x = event.clientX - box.left;
  hover.style.left = `${Math.min(x + 12, box.width - 290)}px`;
  hover.style.top = `${event.clientY - box.top + 14}px`;
}

function zoom(by, around = (view.from + view.to) / 2) {
  setView({from: around - (around - view.from) * by, to: around + (view.to - around) * by});
}

function listenLanes() {
  let drag = null;
  canvas.addEventListener('pointerdown', (event) => {
    drag = {x: event.offsetX, y: event.offsetY, from: view.from, top: view.top, moved: false,
      span: event.shiftKey};
    canvas.setPointerCapture(event.pointerId);
    stage.focus({preventScroll: true});
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!drag) { showHover(event); return; }
    const x = event.offsetX - drag.x, y = event.offsetY - drag.y;
    drag.moved = drag.moved || Math.abs(x) + Math.abs(y) > 4;
    if (!drag.moved || drag.span) return;
    hover.hidden = true;
    const span = view.to - view.from, from = drag.from - x / plotWidth() * span;
    scroll.scrollTop = drag.top - y;
    setView({from, to: from + span});
  });
  canvas.addEventListener('pointerup', (event) => {
    const was = drag;
    drag = null;
    if (!was) return;
    if (was.span && was.moved) {
      const [from, to] = [timeAt(was.x), timeAt(event.offsetX)].sort((a, b) => a - b);
      setView({from, to});
    } else if (!was.moved) {
      const found = lifeAt(event.offsetX, event.offsetY);
      setView({selected: found ? found.life : null});
    }
  });
  canvas.addEventListener('pointerleave', () => { hover.hidden = true; });
  stage.addEventListener('wheel', (event) => {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(Math.exp(event.deltaY / 300), timeAt(event.clientX - canvas.getBoundingClientRect().left));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const by = (event.deltaX || event.deltaY) / plotWidth() * (view.to - view.from);
      setView({from: view.from + by, to: view.to + by});
    } else if (rows.length * view.height + AXIS > stage.clientHeight) {
      const before = scroll.scrollTop;
      scroll.scrollTop += event.deltaY;
      if (scroll.scrollTop !== before) event.preventDefault();
    }
  }, {passive: false});
  scroll.addEventListener('scroll', () => { view.top = scroll.scrollTop; draw(); });
  stage.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = (view.to - view.from) / 10;
    const keys = {
      ArrowLeft: () => setView({from: view.from - step, to: view.to - step}),
      ArrowRight: () => setView({from: view.from + step, to: view.to + step}),
      ArrowUp: () => { scroll.scrollTop -= view.height * 3; },
      ArrowDown: () => { scroll.scrollTop += view.height * 3; },
      '+': () => zoom(0.6), '=': () => zoom(0.6), '-': () => zoom(1 / 0.6),
      f: () => setView({from: 0, to: SPAN}), Home: () => setView({from: 0, to: SPAN}),
      ']': () => resizeRows(1.4), '[': () => resizeRows(1 / 1.4),
      n: () => stepLife(1), p: () => stepLife(-1),
      Enter: () => { if (view.selected === null) stepLife(1); else byId('story').focus(); },
      Escape: () => setView({selected: null}),
    };
    if (!keys[event.key]) return;
    keys[event.key]();
    event.preventDefault();
  });
  new ResizeObserver(draw).observe(stage);
}

function resizeRows(by) {
  setView({height: Math.max(0.05, Math.min(40, view.height * by))});
}
function fitRows() {
  return Math.max(0.02, Math.min(14, (520 - AXIS) / Math.max(1, rows.length)));
}

// The next or the previous life, in its lane or over to the next one.
function stepLife(by) {
  const lanes = rows.filter((row) => row >= 0);
  if (!lanes.length) return;
  let k = view.selected === null ? (by > 0 ? made.firstLife[lanes[0]] : null) : view.selected + by;
  if (k === null) return;
  if (view.selected !== null) {
    const lane = made.laneOf[view.selected], place = lanes.indexOf(lane);
    if (k < made.firstLife[lane] || k >= made.firstLife[lane + 1]) {
      const other = lanes[place + by];
      if (other === undefined) return;
      k = by > 0 ? made.firstLife[other] : made.firstLife[other + 1] - 1;
    }
  }
  selectLife(k);
}

// Selects a life and brings it into sight.
function selectLife(k) {
  const row = rows.indexOf(made.laneOf[k]), change = {selected: k};
  if (row >= 0 && (row * view.height < view.top || (row + 2) * view.height + AXIS > view.top + stage.clientHeight))
    scroll.scrollTop = row * view.height - stage.clientHeight / 2;
  if (made.end[k] < view.from || made.begin[k] > view.to) {
    const span = view.to - view.from, middle = (made.begin[k] + made.end[k]) / 2;
    Object.assign(change, {from: middle - span / 2, to: middle + span / 2});
  }
  setView(change);
}

'use strict';
// Draws what `hak diff --json` says. Texts come from recordings: they are set as text, never as
// markup.

const found = JSON.parse(document.getElementById('data').textContent);
const STAGES = {
  STAGE_0_5: '0.5', STAGE_1: '1', STAGE_2: '2', ADOPT: 'adopt', REBIND: 'rebind', STAGE_3: '3',
};

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function scaled(value, units, step) {
  let unit = 0;
  while (Math.abs(value) >= step && unit < units.length - 1) { value /= step; unit++; }
  return `${unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

const UNITS = {
  count: (value) => value.toLocaleString('en', {maximumFractionDigits: value < 10 ? 1 : 0}),
  bytes: (value) => scaled(value, ['B', 'KiB', 'MiB', 'GiB', 'TiB'], 1024),
  ns: (value) => scaled(value, ['ns', 'us', 'ms', 's'], 1000),
  share: (value) => `${(100 * value).toFixed(1)}%`,
};

function bothSides(selector, draw) {
  const pair = document.querySelector(selector);
  for (const key of ['a', 'b']) {
    const card = element('div', {class: `card ${key}`});
    card.append(...draw(found[key], key.toUpperCase()));
    pair.append(card);
  }
}

function sides() {
  bothSides('#sides', (side, name) => {
    const began = new Date(side.begin / 1e6).toISOString().replace('T', ' ').slice(0, 19);
    const lines = [
      `${began} UTC, ${UNITS.ns(side.duration_ns)}, ${UNITS.count(side.events)} events`,
      `of ${side.programs.join(', ')}`,
      side.lost ? `${UNITS.count(side.lost)} events or packets were lost: its numbers are too small`
        : '',
      ...side.warnings,
    ];
    return [element('h3', {}, `${name}: ${side.trace}`),
      ...lines.filter(Boolean).map((text) => element('p', {class: 'dim'}, text))];
  });
  const shown = found.changes.filter((change) => !change.small);
  const count = (judgement) => shown.filter((change) => change.judgement === judgement).length;
  document.getElementById('summary').textContent =
    `Findings: ${found.findings.new.length} new, ${found.findings.gone.length} gone. Of ` +
    `${shown.length} numbers that changed by more than a tenth ${count('worse')} got worse and ` +
    `${count('better')} better.` + (found.per_second ? ' Counts are per second.' : '');
}

function findings() {
  const section = document.getElementById('findings');
  const row = (mark, style, text) => section.append(
    element('div', {class: 'finding'}, element('span', {class: `mark ${style}`}, mark),
      element('span', {}, text)));
  found.findings.new.forEach((finding) => row('new', 'worse', finding.text));
  found.findings.gone.forEach((finding) => row('gone', 'better', finding.text));
  found.findings.stay.forEach((pair) => row('stays', '', pair.b.text));
  if (section.children.length === 1) {
    section.append(element('p', {class: 'dim'}, 'None in either.'));
  }
}

function settings() {
  if (!found.settings.length) return;
  const section = document.getElementById('settings');
  const values = (list) => element('td', {}, list.join(', ') || 'default');
  const body = element('tbody');
  for (const row of found.settings) {
    body.append(element('tr', {}, element('td', {}, row.knob), values(row.a), values(row.b)));
  }
  section.append(element('table', {}, element('thead', {}, element('tr', {},
    ...['knob', 'A', 'B'].map((text) => element('th', {}, text)))), body));
  section.hidden = false;
}

function stages() {
  bothSides('#stages .pair', (side) => {
    const total = Object.values(side.stages).reduce((sum, count) => sum + count, 0);
    const bar = element('div', {class: 'bar', role: 'img', 'aria-label': 'mix of stages'});
    const words = [];
    Object.entries(side.stages).forEach(([stage, count], number) => {
      if (!count) return;
      const part = element('div', {title: `stage ${STAGES[stage]}: ${UNITS.count(count)}`});
      part.style.flexGrow = count;
      part.style.background = `var(--s${number})`;
      bar.append(part);
      words.push(`${STAGES[stage]}: ${UNITS.share(count / total)}`);
    });
    return [bar, element('p', {class: 'dim'},
      `${UNITS.count(total)} acquires · ${words.join(' · ')}`)];
  });
  const legend = document.querySelector('#stages .legend');
  Object.values(STAGES).forEach((name, number) => {
    const swatch = element('i', {class: 'swatch'});
    swatch.style.background = `var(--s${number})`;
    legend.append(element('span', {}, swatch, `stage ${name}`));
  });
}

// Both to the same height, so that they can be compared.
function mapped() {
  const most = Math.max(1, ...found.a.mapped, ...found.b.mapped);
  bothSides('#mapped .pair', (side, name) => {
    const width = Math.max(1, side.mapped.length);
    let path = 'M0,100';
    side.mapped.forEach((bytes, at) => {
      const y = (100 - 96 * bytes / most).toFixed(2);
      path += `L${at},${y}L${at + 1},${y}`;
    });
    const ns = 'http://www.w3.org/2000/svg';
    const svg = document.createElementNS(ns, 'svg');
    svg.setAttribute('viewBox', `0 0 ${width} 100`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', `mapped bytes over time of ${name}`);
    const area = document.createElementNS(ns, 'path');
    area.setAttribute('d', `${path}L${width},100Z`);
    area.setAttribute('fill', `var(--${name.toLowerCase()})`);
    svg.append(area);
    const own = Math.max(0, ...side.mapped);
    const last = side.mapped.length ? side.mapped[side.mapped.length - 1] : 0;
    return [svg, element('p', {class: 'dim'},
      `${UNITS.bytes(own)} at most, ${UNITS.bytes(last)} at the end, ` +
      `over ${UNITS.ns(side.duration_ns)}`)];
  });
}

function beside(change) {
  const most = Math.max(change.a, change.b, 1e-9);
  return element('td', {class: 'beside'}, ...['a', 'b'].map((key) => {
    const bar = element('i');
    bar.style.width = `${100 * change[key] / most}%`;
    bar.style.background = `var(--${key})`;
    return bar;
  }));
}

function changes() {
  const wanted = document.getElementById('find').value.trim().toLowerCase();
  const small = document.getElementById('small').checked;
  const shown = found.changes.filter((change) => (small || !change.small) &&
    `${change.topic} ${change.name}`.toLowerCase().includes(wanted));
  document.querySelector('#changes tbody').replaceChildren(...shown.map((change) => {
    const words = change.words + (change.judgement && !change.small ? `: ${change.judgement}` : '');
    return element('tr', {}, element('td', {}, change.topic), element('td', {}, change.name),
      element('td', {class: 'number'}, UNITS[change.unit](change.a)),
      element('td', {class: 'number'}, UNITS[change.unit](change.b)), beside(change),
      element('td', change.small ? {} : {class: change.judgement}, words));
  }));
  document.getElementById('none').hidden = shown.length > 0;
}

sides();
findings();
settings();
stages();
mapped();
changes();
document.getElementById('find').addEventListener('input', changes);
document.getElementById('small').addEventListener('change', changes);
document.documentElement.setAttribute('data-ready', '');

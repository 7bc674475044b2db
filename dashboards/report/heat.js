'use strict';
// Occupancy of each class's ACTIVE slabs over time, as a heat map.

// Blocks that a slab of the class holds, as the recording's lives say.
const capacities = new Map();
function capacityOf(cls) {
  if (!capacities.size && made)
    for (let k = 0; k < made.lives; k++)
      if (made.life.capacity[k]) capacities.set(made.life.cls[k], made.life.capacity[k]);
  return capacities.get(cls) || 0;
}

const HEAT_ROW = 18, HEAT_LEFT = 110;
let heatRows = [];

function buildHeat() {
  const where = byId('heat'), process = shownProcess();
  heatRows = !process ? [] : BY_STRIDE.filter((cls) => process.classes[cls]?.used && capacityOf(cls) &&
    process.classes[cls].active.some(Boolean)).map((cls) => {
    const {used, active} = process.classes[cls];
    return {cls, values: used.map((blocks, i) => (blocks === null || !active[i] ? null :
      Math.min(1, blocks / (active[i] * capacityOf(cls)))))};
  });
  if (!heatRows.length) {
    where.replaceChildren(element('p', {class: 'dim'}, 'Not recorded: the tier flow tells what slabs hold.'));
    return;
  }
  const map = element('canvas', {id: 'heatmap', 'aria-label': 'Occupancy by class over time'});
  const said = element('p', {id: 'heat-said', class: 'dim', 'aria-live': 'polite'}, ' ');
  const scale = element('p', {class: 'legend'}, '0 % ', ...Array.from({length: 10}, (_, i) =>
    swatch(hex(heatColour((i + 0.5) / 10)))), ' 100 % in use. Nothing is drawn where a class has no ACTIVE slab.');
  where.replaceChildren(map, said, scale);
  map.addEventListener('pointermove', (event) => {
    const row = heatRows[Math.floor(event.offsetY / HEAT_ROW)];
    const time = view.from + (event.offsetX - HEAT_LEFT) / (map.clientWidth - HEAT_LEFT) * (view.to - view.from);
    const part = Math.floor((BEGIN + time - data.series.begin) / data.series.step);
    said.textContent = row && event.offsetX > HEAT_LEFT && row.values[part] !== null && row.values[part] !== undefined ?
      `${classText(row.cls)} at ${at(BEGIN + time)}: ${percent(row.values[part], 1)} of ` +
      `${counted(shownProcess().classes[row.cls].active[part], 'ACTIVE slab')} in use` : ' ';
  });
  drawHeat();
}

// Light is empty, so that what holds little stands out.
const heatColour = (share) => ramp(1 - share);

function drawHeat() {
  const map = byId('heatmap');
  if (!map) return;
  const ratio = window.devicePixelRatio || 1, wide = byId('heat').clientWidth, high = heatRows.length * HEAT_ROW;
  map.style.width = `${wide}px`;
  map.style.height = `${high}px`;
  map.width = wide * ratio;
  map.height = high * ratio;
  const on = map.getContext('2d');
  on.scale(ratio, ratio);
  on.font = '12px system-ui, "DejaVu Sans", sans-serif';
  on.textBaseline = 'middle';
  const scale = (wide - HEAT_LEFT) / (view.to - view.from);
  heatRows.forEach(({cls, values}, row) => {
    on.fillStyle = scheme().dim;
    on.fillText(classText(cls), 0, row * HEAT_ROW + HEAT_ROW / 2, HEAT_LEFT - 8);
    values.forEach((value, part) => {
      if (value === null) return;
      const from = HEAT_LEFT + (data.series.begin - BEGIN + part * data.series.step - view.from) * scale;
      const left = Math.max(HEAT_LEFT, from), right = Math.min(wide, from + data.series.step * scale + 0.5);
      if (right <= left) return;
      on.fillStyle = hex(heatColour(value));
      on.fillRect(left, row * HEAT_ROW + 1, right - left, HEAT_ROW - 2);
    });
  });
}

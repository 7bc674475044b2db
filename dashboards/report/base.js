'use strict';
// What all parts of the page share: the data, words and numbers, colours, what is shown now.
// Texts come from recordings: they are set as text, never as markup.

const data = JSON.parse(document.getElementById('data').textContent);
const report = data.report;
const BEGIN = data.begin, SPAN = Math.max(1, data.end - data.begin);
const STAGES = ['STAGE_0_5', 'STAGE_1', 'STAGE_2', 'ADOPT', 'REBIND', 'STAGE_3'];
const STAGE_NAMES = ['0.5', '1', '2', 'adopt', 'rebind', '3'];
const NONE = 255;

const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function scaled(value, units, step) {
  let unit = 0;
  while (Math.abs(value) >= step && unit < units.length - 1) { value /= step; unit++; }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
const count = (value) => value.toLocaleString('en');
const bytes = (value) => (value === null || value === undefined ? 'not recorded' :
  scaled(value, ['B', 'KiB', 'MiB', 'GiB', 'TiB'], 1024));
const duration = (ns) => (ns < 60e9 ? scaled(ns, ['ns', 'µs', 'ms', 's'], 1000) :
  `${Math.floor(ns / 60e9)} min ${Math.round(ns % 60e9 / 1e9)} s`);
const percent = (part, whole) => (whole ? `${(100 * part / whole).toFixed(1)} %` : '');
// Seconds after the recording's begin, as all commands of hak say times.
const at = (ns) => `${((ns - report.begin) / 1e9).toFixed(6)} s`;
const className = (cls) => (cls < data.strides.length ? `C${cls}` : 'none');
const classText = (cls) => (cls < data.strides.length ?
  `C${cls} (${count(data.strides[cls])} B)` : 'no class');
const counted = (number, noun, plural = `${noun}s`) => `${count(number)} ${number === 1 ? noun : plural}`;

// ---- colours: Okabe and Ito's for kinds, a ramp of even lightness steps for the classes ----

const SCHEMES = {
  light: {ground: '#ffffff', ink: '#1b1f24', dim: '#5b6470', line: '#d6dbe1', panel: '#f5f7f9',
    bad: '#c0392b', active: '#0072b2', listed: '#9bd3f0', unlisted: '#f0c419', purged: '#e3e8ec',
    published: '#cc79a7', before: '#8a949e', unseen: '#b9c0c7'},
  dark: {ground: '#14171b', ink: '#e6e9ed', dim: '#9aa4b0', line: '#343b44', panel: '#1c2127',
    bad: '#ff7b6b', active: '#3fa4e0', listed: '#2b5f7d', unlisted: '#e0b400', purged: '#2a3038',
    published: '#d98bb8', before: '#77818b', unseen: '#4b545d'},
};
const STAGE_COLOURS = ['#56b4e9', '#009e73', '#0072b2', '#cc79a7', '#e69f00', '#d55e00'];
const RAMP = ['#440154', '#482878', '#3e4a89', '#31688e', '#26828e', '#1f9e89', '#35b779', '#6ece58',
  '#b5de2b', '#fde725'];
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const scheme = () => SCHEMES[dark.matches ? 'dark' : 'light'];

function rgb(colour) {
  const value = parseInt(colour.slice(1), 16);
  return [value >> 16, value >> 8 & 255, value & 255];
}
function ramp(share) {
  const place = Math.min(0.9999, Math.max(0, share)) * (RAMP.length - 1), low = Math.floor(place);
  const [a, b] = [rgb(RAMP[low]), rgb(RAMP[low + 1])];
  return a.map((value, i) => Math.round(value + (b[i] - value) * (place - low)));
}
const hex = (parts) => `#${parts.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
// By stride, so that larger blocks are lighter.
const BY_STRIDE = data.strides.map((_, cls) => cls).sort((a, b) => data.strides[a] - data.strides[b]);
const classColour = (cls) => (cls < data.strides.length ?
  ramp(BY_STRIDE.indexOf(cls) / (data.strides.length - 1)) : [128, 128, 128]);

// ---- what is shown: part of the page's address, so that a link shows the same ----

const view = {from: 0, to: SPAN, show: 'matter', group: 'class', colour: 'state', search: '',
  process: 0, height: 14, top: 0, selected: null};
const DEFAULTS = {...view};
const watchers = [];
const onView = (watch) => watchers.push(watch);

function setView(change) {
  Object.assign(view, change);
  const span = Math.min(SPAN, Math.max(50, view.to - view.from));
  view.from = Math.min(SPAN - span, Math.max(0, view.from));
  view.to = view.from + span;
  for (const watch of watchers) watch(change);
  keepAddress();
}

let keeping = 0;
function keepAddress() {
  clearTimeout(keeping);
  keeping = setTimeout(() => {
    const parts = Object.keys(view).filter((key) => key !== 'top' && view[key] !== DEFAULTS[key] &&
      view[key] !== null).map((key) => `${key}=${encodeURIComponent(key === 'from' || key === 'to' ?
      Math.round(view[key]) : view[key])}`);
    history.replaceState(null, '', parts.length ? `#${parts.join('&')}` : location.pathname);
  }, 300);
}

function viewOfAddress() {
  const change = {};
  for (const [key, text] of new URLSearchParams(location.hash.slice(1)))
    if (key in view) change[key] = typeof DEFAULTS[key] === 'string' ? text : Number(text);
  for (const key of ['from', 'to', 'process', 'height', 'selected'])
    if (key in change && !Number.isFinite(change[key])) delete change[key];
  return change;
}

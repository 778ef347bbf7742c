'use strict';

const missing = (value) => typeof value !== 'number' || !Number.isFinite(value);

function whole(value) {
  return Math.round(value).toLocaleString('en-US');
}

const plural = (n, word) => whole(n) + ' ' + word + (n === 1 ? '' : 's');
/** A label as it stands inside a sentence: FLOPs stay FLOPs. */
const in_sentence = (label) =>
    label.slice(1) === label.slice(1).toLowerCase() ? label.toLowerCase() : label;
const list = (words) =>
    words.length < 2 ? words.join('') : words.slice(0, -1).join(', ') + ' and ' + words.at(-1);

/** 75 s, 12 min, 3 h 20 min. */
function duration(seconds) {
  if (seconds < 90) return Math.max(1, Math.round(seconds)) + ' s';
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return minutes + ' min';
  return Math.floor(minutes / 60) + ' h' + (minutes % 60 ? ' ' + minutes % 60 + ' min' : '');
}

/** Four significant digits, no exponent unless the number is very small or large. */
function digits(value, count = 4) {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 1e-4 || size >= 1e9) return value.toExponential(count - 2).replace('e+', 'e');
  const places = Math.max(0, count - 1 - Math.floor(Math.log10(size)));
  return value.toLocaleString('en-US', {minimumFractionDigits: 0, maximumFractionDigits: places});
}

/** The scale in which numbers up to `largest` of a unit are shown: divisor, suffix, words. */
function scale(unit, largest) {
  if (unit === 'bytes') {
    for (const [name, size] of [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 1024]])
      if (largest >= size) return {by: size, suffix: ' ' + name, words: name};
    return {by: 1, suffix: ' B', words: 'bytes'};
  }
  if (unit === '%') return {by: 1, suffix: '%', words: '%'};
  const counts = unit === 'count' || unit === '';
  for (const [prefix, words, size, least] of [
           ['G', 'billions', 1e9, 1e9], ['M', 'millions', 1e6, 1e6],
           ['k', 'thousands', 1e3, counts ? 1e4 : Infinity]])
    if (largest >= least)
      return {
        by: size,
        suffix: prefix + (counts ? '' : ' ' + unit),
        words: words + (counts ? '' : ' of ' + unit)
      };
  return counts ? {by: 1, suffix: '', words: ''} : {by: 1, suffix: ' ' + unit, words: unit};
}

/** A value with its unit. */
function text(value, unit) {
  if (missing(value)) return '–';
  if ((unit === 'count' || unit === '') && Number.isInteger(value) && Math.abs(value) < 1e5)
    return whole(value);
  const s = scale(unit, Math.abs(value));
  return (unit === '%' ? value.toFixed(2) : digits(value / s.by)) + s.suffix;
}

/** An uncertainty: two significant digits. */
function error_text(value, unit) {
  const s = scale(unit, Math.abs(value));
  return digits(value / s.by, 2) + s.suffix;
}

/** A value with its uncertainty, where that is known. */
function with_error(value, error, unit) {
  return text(value, unit) + (missing(error) || error === 0 ? '' : ' ± ' + error_text(error, unit));
}

/** An uncertainty that stands behind its value: in the same scale, and without the unit. */
function error_behind(value, error, unit) {
  return digits(error / scale(unit, Math.abs(value)).by, 2);
}

/**
 * A function that writes values of one column alike, with as many places as most of them need.
 */
function column_text(values, unit) {
  const sizes =
      Array.from(values).filter((value) => !missing(value)).map(Math.abs).sort((a, b) => a - b);
  const middle = sizes.length ? sizes[sizes.length >> 1] : 0;
  if (unit === 'count' || unit === '' || unit === 'bytes' || unit === '%' || middle < 1e-3 ||
      middle >= 1e6)
    return (value) => text(value, unit);
  const places = Math.max(0, 3 - Math.floor(Math.log10(middle)));
  return (value) => missing(value) ?
      '–' :
      value.toLocaleString(
          'en-US', {minimumFractionDigits: places, maximumFractionDigits: places}) +
          ' ' + unit;
}

/** Round tick positions within lo..hi, about `count` of them, and their labels. */
function ticks(lo, hi, count) {
  const rough = (hi - lo) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((size) => size >= rough * 0.9);
  let places = 0;
  while (places < 8 && Math.abs(step * 10 ** places % 1 - 0.5) < 0.5 - 1e-6) ++places;
  const list = [];
  for (let k = Math.ceil(lo / step - 1e-9); k * step <= hi + step * 1e-9; ++k) {
    const at = k * step || 0;  // not -0
    const label = places > 6 || Math.abs(at) >= 1e9 ?
        at.toExponential(2) :
        at.toLocaleString('en-US', {minimumFractionDigits: places, maximumFractionDigits: places});
    list.push({at: at, label: label});
  }
  return list;
}

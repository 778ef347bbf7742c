'use strict';

// ---------------------------------------------------------------- tooltip

const tip = make('div', {class: 'tip', hidden: '', role: 'presentation'});
document.body.append(tip);

/** content: {arch?, title?, rows: [[name, value]], note?}; x, y in the page. */
function show_tip(content, x, y) {
  tip.replaceChildren();
  if (content.arch) tip.append(make('div', {class: 'arch', text: content.arch}));
  if (content.title) tip.append(make('div', {text: content.title}));
  const table = make('table');
  for (const [name, value] of content.rows || [])
    table.append(make('tr', {}, make('td', {text: name}), make('td', {text: value})));
  tip.append(table);
  if (content.note) tip.append(make('p', {class: 'note', text: content.note}));
  tip.hidden = false;
  tip.style.left = tip.style.top = '0';
  const box = tip.getBoundingClientRect();
  const right = document.documentElement.clientWidth + scrollX - 8;
  let left = x + 16;
  if (left + box.width > right) left = x - 16 - box.width;
  let top = y - box.height - 14;
  if (top < scrollY + 6) top = y + 18;
  tip.style.left = Math.max(scrollX + 8, Math.min(left, right - box.width)) + 'px';
  tip.style.top = top + 'px';
}

function hide_tip() {
  tip.hidden = true;
}

/** What a tooltip shows, as one line for screen readers. */
function spoken(content) {
  const rows = (content.rows || []).map(([name, value]) => name + ' ' + value);
  return [content.arch || content.title || '', ...rows, content.note || ''].filter(Boolean).join(
      ', ');
}

// ---------------------------------------------------------------- nearest point

/** Buckets points of the screen in a grid of cells: nearest() looks at few of them. */
class Grid {
  constructor(xs, ys, width, height, cell = 12) {
    this.xs = xs;
    this.ys = ys;
    this.cell = cell;
    this.columns = Math.max(1, Math.ceil(width / cell));
    this.rows = Math.max(1, Math.ceil(height / cell));
    this.starts = new Int32Array(this.columns * this.rows + 1);
    const bucket = new Int32Array(xs.length);
    for (let i = 0; i < xs.length; ++i) {
      bucket[i] = this.row(ys[i]) * this.columns + this.column(xs[i]);
      ++this.starts[bucket[i] + 1];
    }
    for (let b = 1; b < this.starts.length; ++b) this.starts[b] += this.starts[b - 1];
    const next = this.starts.slice(0, -1);
    this.items = new Int32Array(xs.length);
    for (let i = 0; i < xs.length; ++i) this.items[next[bucket[i]]++] = i;
    this.examined = 0;
  }
  column(x) {
    return Math.min(this.columns - 1, Math.max(0, Math.floor(x / this.cell)));
  }
  row(y) {
    return Math.min(this.rows - 1, Math.max(0, Math.floor(y / this.cell)));
  }

  /** Index of the point nearest to x, y (of equally near ones the last), or -1 beyond `reach`. */
  nearest(x, y, reach) {
    let best = -1;
    let distance = reach * reach;
    const column = this.column(x);
    const row = this.row(y);
    for (let ring = 0; ring <= Math.ceil(reach / this.cell) + 1; ++ring) {
      // Whatever lies in this ring is at least so far away.
      const least = Math.max(0, ring - 1) * this.cell;
      if (best >= 0 && least * least > distance) break;
      for (let r = row - ring; r <= row + ring; ++r) {
        if (r < 0 || r >= this.rows) continue;
        const edge = r === row - ring || r === row + ring;
        for (let c = column - ring; c <= column + ring; c += edge ? 1 : Math.max(1, 2 * ring)) {
          if (c < 0 || c >= this.columns) continue;
          const bucket = r * this.columns + c;
          for (let k = this.starts[bucket]; k < this.starts[bucket + 1]; ++k) {
            const i = this.items[k];
            const dx = this.xs[i] - x;
            const dy = this.ys[i] - y;
            const d = dx * dx + dy * dy;
            ++this.examined;
            if (d < distance || (d === distance && i > best)) {
              distance = d;
              best = i;
            }
          }
        }
      }
    }
    return best;
  }
}

// ---------------------------------------------------------------- plot

/** Least and greatest value of some series along an axis. */
function range_of(all, axis) {
  let lo = Infinity;
  let hi = -Infinity;
  for (const series of all) {
    const values = series[axis];
    for (let i = 0; i < values.length; ++i) {
      if (values[i] < lo) lo = values[i];
      if (values[i] > hi) hi = values[i];
    }
  }
  return lo <= hi ? [lo, hi] : [0, 1];
}

const plots = [];
const font = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const dense = 4000;  // points of a series beyond which they are drawn as a cloud

/**
 * A plot on two canvases: what is there, and what is pointed at. Keys: arrows, Home, End, Escape.
 * series: {name, kind: points|line|step|step-before, x, y (Float64Array), id?: Int32Array,
 * colour, shape: disc|ring|dashed, size, main, quiet}; x and y hold finite numbers only. `main`:
 * what the arrow keys walk along. `quiet`: not pointed at.
 */
class Plot {
  constructor(parent, options) {
    this.options = options;
    this.under = make('canvas');
    this.over = make('canvas', {'aria-hidden': 'true'});
    this.reset =
        make('button', {class: 'reset', type: 'button', hidden: '', onclick: () => this.turn()});
    const square = options.square ? ' square' : '';
    this.host = make(
        'div', {class: 'plot' + square, tabindex: '0', role: 'img'}, this.under, this.over,
        this.reset);
    parent.append(this.host);
    this.series = [];
    this.view = null;    // what was zoomed to
    this.whole = false;  // everything is shown, though there is a home
    this.at = -1;
    this.drawn = {};
    this.seen = true;
    new IntersectionObserver((entries) => {
      this.seen = entries.at(-1).isIntersecting;
      if (this.seen && this.stale) this.draw();
    }, {rootMargin: '200px'}).observe(this.host);
    this.listen();
    plots.push(this);
  }

  /**
   * content: {series, x: {label, unit, key?, better?, whole?}, y: ..., tip(series, i), summary,
   * equal?, diagonal?, bounds?, home?, home_name?, pointed?(id), pick?(id), chosen?()}. equal: one
   * range for both axes. diagonal: a dashed line where x = y. bounds: [{axis: 'x' or 'y', at,
   * text}], drawn as dashed lines where they lie in view. home: {x: [lo, hi], y: [lo, hi]}, shown
   * at first instead of everything. pointed: called with the id of what is pointed at, then with
   * null. pick: with the id of what is clicked. chosen: the id of what is ringed for good, or -1.
   * What was zoomed to stays while the axes stay.
   */
  set(content) {
    const axes = JSON.stringify([content.x, content.y].map((axis) => [axis.key, axis.label]));
    if (axes !== this.shown_axes) {
      this.view = null;
      this.whole = false;
    }
    this.shown_axes = axes;
    const pointed = this.at >= 0 ? this.id_of(this.at) : null;
    Object.assign(
        this, {bounds: [], home: null, pointed: () => {}, pick: null, chosen: () => -1}, content);
    this.host.setAttribute(
        'aria-label',
        (content.summary || '') + ' Arrow keys step through the points' +
            (this.pick ? ', Enter keeps one' : '') + '; the numbers are also in a table below.');
    // What nobody sees is drawn when it comes into view.
    this.stale = this.milliseconds !== undefined && !this.seen;
    if (this.stale) return;
    this.draw();
    if (pointed !== null) this.mark(pointed);
  }

  /** Id of a point of index(), or null. */
  id_of(at) {
    const series = this.shown[this.owner[at]];
    return series.id ? series.id[this.within[at]] : null;
  }

  /** Back from a zoom, or from the home to everything and back. */
  turn() {
    if (!this.view) this.whole = !this.whole;
    this.zoom(null);
  }

  visible() {
    return this.series.filter((series) => !series.hidden);
  }

  range(axis) {
    return range_of(this.visible().length ? this.visible() : this.series, axis);
  }

  /** What is in view: what was zoomed to, or the home, or everything. */
  in_view() {
    if (this.view) return this.view;
    if (this.home && !this.whole) return this.home;
    const view = {x: this.padded(this.range('x'), this.x), y: this.padded(this.range('y'), this.y)};
    if (this.equal)
      view.x = view.y = [Math.min(view.x[0], view.y[0]), Math.max(view.x[1], view.y[1])];
    return view;
  }

  padded([lo, hi], axis) {
    if (lo === hi) {
      const around = Math.abs(lo) * 0.05 || 1;
      return [lo - around, hi + around];
    }
    const pad = (hi - lo) * 0.04;
    const zero = axis.zero && lo >= 0;
    return [zero ? 0 : lo >= 0 && lo - pad < 0 ? 0 : lo - pad, hi + pad];
  }

  frame() {
    const width = Math.max(200, this.host.clientWidth);
    const wanted = this.options.height || 380;
    const height = this.options.square ?
        Math.min(wanted, width) :
        Math.round(Math.min(wanted, Math.max(wanted * 0.6, width * 0.85)));
    this.host.style.height = height + 'px';
    this.width = width;
    this.height = height;
    const {x, y} = this.in_view();
    this.xs = scale(this.x.unit, Math.max(Math.abs(x[0]), Math.abs(x[1])));
    this.ys = scale(this.y.unit, Math.max(Math.abs(y[0]), Math.abs(y[1])));
    const pen = this.under.getContext('2d');
    pen.font = font;
    this.yticks = ticks(y[0] / this.ys.by, y[1] / this.ys.by, (height - 60) / 38);
    const widest = Math.max(20, ...this.yticks.map((tick) => pen.measureText(tick.label).width));
    this.left = Math.ceil(widest) + 12;
    this.top = 30;
    this.right = width - 14;
    this.bottom = height - 44;
    const across = Math.max(4, (this.right - this.left) / 84);
    this.xticks = ticks(x[0] / this.xs.by, x[1] / this.xs.by, across);
    const is_whole = (tick) => Number.isInteger(tick.at * this.xs.by);
    if (this.x.whole) this.xticks = this.xticks.filter(is_whole);
    this.lo = [x[0], y[0]];
    this.hi = [x[1], y[1]];
    this.fx = (this.right - this.left) / (x[1] - x[0]);
    this.fy = (this.bottom - this.top) / (y[1] - y[0]);
  }

  px(x) {
    return this.left + (x - this.lo[0]) * this.fx;
  }
  py(y) {
    return this.bottom - (y - this.lo[1]) * this.fy;
  }

  draw() {
    if (!this.series.length) return;
    const started = performance.now();
    this.stale = false;
    this.label_reset();
    this.frame();
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.under, this.over]) {
      canvas.width = Math.round(this.width * ratio);
      canvas.height = Math.round(this.height * ratio);
      canvas.getContext('2d').setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    const style = getComputedStyle(document.documentElement);
    this.colour = (name) => style.getPropertyValue('--' + name).trim();
    const pen = this.under.getContext('2d');
    this.axes(pen);
    pen.save();
    pen.beginPath();
    pen.rect(this.left - 1, this.top - 6, this.right - this.left + 7, this.bottom - this.top + 7);
    pen.clip();
    this.drawn = {};
    this.grid = null;
    if (this.diagonal && this.diagonal_line(pen)) this.drawn.diagonal = 1;
    this.bound_lines(pen);
    for (const series of this.visible())
      this.drawn[series.name] = (this.drawn[series.name] || 0) +
          (series.kind === 'points' ? this.points(pen, series, ratio) : this.line(pen, series));
    pen.restore();
    this.unpoint();
    this.milliseconds = performance.now() - started;
  }

  /** What the button does, and how many points lie outside of what is shown. */
  label_reset() {
    this.reset.hidden = !this.view && !this.home;
    if (this.reset.hidden) return;
    if (this.view || !this.whole) {
      const {x, y} = this.in_view();
      let outside = 0;
      for (const series of this.visible()) {
        if (series.kind !== 'points') continue;
        for (let i = 0; i < series.x.length; ++i)
          if (series.x[i] < x[0] || series.x[i] > x[1] || series.y[i] < y[0] || series.y[i] > y[1])
            ++outside;
      }
      const others = outside ? ' (' + whole(outside) + ' outside)' : '';
      this.reset.textContent = (this.view ? 'Reset zoom' : 'Show all') + others;
    } else {
      this.reset.textContent = 'Zoom to ' + this.home_name;
    }
  }

  axis_label(axis, scaled) {
    const unit = scaled.words ? ', ' + scaled.words : '';
    return axis.label + unit + (axis.better ? ' (' + axis.better + ' is better)' : '');
  }

  axes(pen) {
    pen.font = font;
    pen.lineWidth = 1;
    pen.fillStyle = this.colour('soft');
    pen.strokeStyle = this.colour('grid');
    pen.textBaseline = 'middle';
    pen.textAlign = 'right';
    pen.beginPath();
    for (const tick of this.yticks) {
      const y = Math.round(this.py(tick.at * this.ys.by)) + 0.5;
      pen.moveTo(this.left, y);
      pen.lineTo(this.right, y);
      pen.fillText(tick.label, this.left - 8, y);
    }
    for (const tick of this.xticks) {
      const x = Math.round(this.px(tick.at * this.xs.by)) + 0.5;
      pen.moveTo(x, this.top);
      pen.lineTo(x, this.bottom);
    }
    pen.stroke();
    pen.textAlign = 'center';
    pen.textBaseline = 'top';
    for (const tick of this.xticks) {
      const half = pen.measureText(tick.label).width / 2;
      pen.fillText(
          tick.label, Math.min(this.px(tick.at * this.xs.by), this.width - half - 2),
          this.bottom + 7);
    }
    pen.strokeStyle = this.colour('line');
    pen.beginPath();
    pen.moveTo(this.left + 0.5, this.top);
    pen.lineTo(this.left + 0.5, this.bottom + 0.5);
    pen.lineTo(this.right, this.bottom + 0.5);
    pen.stroke();
    pen.fillStyle = this.colour('ink');
    pen.textAlign = 'right';
    pen.fillText(this.axis_label(this.x, this.xs), this.right, this.height - 16);
    pen.textAlign = 'left';
    pen.fillText(this.axis_label(this.y, this.ys), 2, 4);
  }

  bound_lines(pen) {
    pen.strokeStyle = pen.fillStyle = this.colour('warn');
    pen.font = font;
    for (const {axis, at, text} of this.bounds) {
      const x = this.px(at);
      const y = this.py(at);
      const seen =
          axis === 'x' ? x >= this.left && x <= this.right : y >= this.top && y <= this.bottom;
      if (!seen) continue;
      this.drawn.bounds = (this.drawn.bounds || 0) + 1;
      pen.setLineDash([5, 4]);
      pen.beginPath();
      pen.moveTo(axis === 'x' ? x : this.left, axis === 'x' ? this.top : y);
      pen.lineTo(axis === 'x' ? x : this.right, axis === 'x' ? this.bottom : y);
      pen.stroke();
      pen.setLineDash([]);
      const width = pen.measureText(text).width;
      pen.textAlign = 'left';
      pen.textBaseline = axis === 'x' ? 'top' : 'bottom';
      if (axis === 'x')
        pen.fillText(text, x + 5 + width > this.right ? x - 5 - width : x + 5, this.top + 2);
      else
        pen.fillText(text, this.right - width - 4, y - 3 < this.top + 14 ? y + 16 : y - 3);
    }
  }

  /** Where x = y; false where none of it is in view. */
  diagonal_line(pen) {
    const lo = Math.max(this.lo[0], this.lo[1]);
    const hi = Math.min(this.hi[0], this.hi[1]);
    if (lo >= hi) return false;
    pen.strokeStyle = this.colour('soft');
    pen.setLineDash([5, 4]);
    pen.beginPath();
    pen.moveTo(this.px(lo), this.py(lo));
    pen.lineTo(this.px(hi), this.py(hi));
    pen.stroke();
    pen.setLineDash([]);
    return true;
  }

  /** A picture of one point, stamped many times. */
  stamp(series, radius, ratio) {
    const side = Math.ceil((radius + 1.5) * 2 * ratio);
    const picture = document.createElement('canvas');
    picture.width = picture.height = side;
    const pen = picture.getContext('2d');
    pen.scale(ratio, ratio);
    pen.beginPath();
    pen.arc(side / ratio / 2, side / ratio / 2, radius, 0, 2 * Math.PI);
    pen.fillStyle = pen.strokeStyle = this.colour(series.colour);
    if (series.shape === 'ring' || series.shape === 'dashed') {
      pen.lineWidth = series.width || 1.25;
      if (series.shape === 'dashed') pen.setLineDash([3, 2]);
      pen.stroke();
    } else {
      pen.fill();
      if (series.main) {  // set off from what lies below
        pen.lineWidth = 1.25;
        pen.strokeStyle = this.colour('paper');
        pen.stroke();
      }
    }
    return picture;
  }

  /** Very many points as a picture: the more lie on a pixel, the more opaque it is. */
  cloud(pen, series, ratio) {
    const width = this.under.width;
    const height = this.under.height;
    const counts = new Uint16Array(width * height);
    const reach = Math.max(1, Math.round(ratio));  // a point is a square of 2 reach + 1
    let count = 0;
    for (let i = 0; i < series.x.length; ++i) {
      const x = this.px(series.x[i]);
      const y = this.py(series.y[i]);
      if (x < this.left - 2 || x > this.right + 2 || y < this.top - 2 || y > this.bottom + 2)
        continue;
      ++count;
      const column = Math.round(x * ratio);
      const row = Math.round(y * ratio);
      for (let r = Math.max(0, row - reach); r <= Math.min(height - 1, row + reach); ++r)
        for (let c = Math.max(0, column - reach); c <= Math.min(width - 1, column + reach); ++c)
          if (counts[r * width + c] < 65535) ++counts[r * width + c];
    }
    const picture = document.createElement('canvas');
    picture.width = width;
    picture.height = height;
    const brush = picture.getContext('2d');
    brush.fillStyle = this.colour(series.colour);
    const [red, green, blue] =
        [1, 3, 5].map((at) => parseInt(brush.fillStyle.slice(at, at + 2), 16));
    const image = brush.createImageData(width, height);
    const most = counts.reduce((largest, n) => Math.max(largest, n), 1);
    const alphas = Uint8Array.from(
        {length: most + 1}, (_, n) => n ? 255 * (0.4 + 0.6 * Math.log(n) / Math.log(most + 1)) : 0);
    for (let p = 0; p < counts.length; ++p) {
      if (!counts[p]) continue;
      image.data[4 * p] = red;
      image.data[4 * p + 1] = green;
      image.data[4 * p + 2] = blue;
      image.data[4 * p + 3] = alphas[counts[p]];
    }
    brush.putImageData(image, 0, 0);
    pen.drawImage(picture, 0, 0, this.width, this.height);
    return count;
  }

  points(pen, series, ratio) {
    if (series.x.length > dense) return this.cloud(pen, series, ratio);
    const picture = this.stamp(series, series.size || 3, ratio);
    const side = picture.width / ratio;
    pen.globalAlpha = series.main || series.quiet ? 1 : 0.8;
    let count = 0;
    for (let i = 0; i < series.x.length; ++i) {
      const x = this.px(series.x[i]);
      const y = this.py(series.y[i]);
      if (x < this.left - 2 || x > this.right + 2 || y < this.top - 2 || y > this.bottom + 2)
        continue;
      pen.drawImage(picture, x - side / 2, y - side / 2, side, side);
      ++count;
    }
    pen.globalAlpha = 1;
    return count;
  }

  /** Lines of very many points: of each column of pixels the first, least, greatest and last. */
  line(pen, series) {
    pen.strokeStyle = this.colour(series.colour);
    pen.lineWidth = series.width || 1.75;
    pen.lineJoin = 'round';
    pen.beginPath();
    const n = series.x.length;
    let previous = null;
    const to = (i) => {
      const x = this.px(series.x[i]);
      const y = this.py(series.y[i]);
      if (!previous)
        pen.moveTo(x, y);
      else if (series.kind === 'step')
        pen.lineTo(x, previous[1]);
      else if (series.kind === 'step-before')
        pen.lineTo(previous[0], y);
      if (previous) pen.lineTo(x, y);
      previous = [x, y];
    };
    if (n <= dense) {
      for (let i = 0; i < n; ++i) to(i);
    } else {
      for (let first = 0; first < n;) {
        const column = Math.floor(this.px(series.x[first]));
        let last = first;
        let least = first;
        let most = first;
        while (last + 1 < n && Math.floor(this.px(series.x[last + 1])) === column) {
          ++last;
          if (series.y[last] < series.y[least]) least = last;
          if (series.y[last] > series.y[most]) most = last;
        }
        for (const i of [...new Set([first, Math.min(least, most), Math.max(least, most), last])])
          to(i);
        first = last + 1;
      }
    }
    pen.stroke();
    return n;
  }

  // ---- pointing

  /** Points that can be pointed at, in the order in which they are drawn. */
  index() {
    if (this.stale) this.draw();
    if (this.grid) return this.grid;
    const shown = this.visible().filter((series) => !series.quiet);
    const total = shown.reduce((sum, series) => sum + series.x.length, 0);
    const xs = new Float64Array(total);
    const ys = new Float64Array(total);
    this.owner = new Int32Array(total);
    this.within = new Int32Array(total);
    let count = 0;
    shown.forEach((series, s) => {
      for (let i = 0; i < series.x.length; ++i) {
        const x = this.px(series.x[i]);
        const y = this.py(series.y[i]);
        if (x < this.left - 2 || x > this.right + 2 || y < this.top - 2 || y > this.bottom + 2)
          continue;
        xs[count] = x;
        ys[count] = y;
        this.owner[count] = s;
        this.within[count++] = i;
      }
    });
    this.shown = shown;
    this.walk = null;
    this.grid = new Grid(xs.subarray(0, count), ys.subarray(0, count), this.width, this.height);
    return this.grid;
  }

  /**
   * Draws on the upper canvas what is chosen, and what is pointed at: this point, or none for -1.
   */
  ring(at) {
    const pen = this.over.getContext('2d');
    pen.clearRect(0, 0, this.width, this.height);
    const kept = this.chosen ? this.chosen() : -1;
    const place = kept < 0 ? null : this.locate(kept);
    if (place) {
      pen.strokeStyle = this.colour('accent');
      pen.lineWidth = 2.5;
      pen.beginPath();
      pen.arc(place.x, place.y, 8, 0, 2 * Math.PI);
      pen.stroke();
    }
    if (at < 0) return;
    const x = this.grid.xs[at];
    const y = this.grid.ys[at];
    pen.strokeStyle = this.colour('soft');
    pen.globalAlpha = 0.6;
    pen.lineWidth = 1;
    pen.setLineDash([2, 3]);
    pen.beginPath();
    pen.moveTo(Math.round(x) + 0.5, y);
    pen.lineTo(Math.round(x) + 0.5, this.bottom);
    pen.moveTo(this.left, Math.round(y) + 0.5);
    pen.lineTo(x, Math.round(y) + 0.5);
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 1;
    pen.strokeStyle = this.colour('ink');
    pen.lineWidth = 1.75;
    pen.beginPath();
    pen.arc(x, y, 6.5, 0, 2 * Math.PI);
    pen.stroke();
  }

  point(at, speak) {
    const grid = this.index();
    if (at < 0) return this.unpoint();
    this.at = at;
    this.ring(at);
    const series = this.shown[this.owner[at]];
    const i = this.within[at];
    const content = this.tip(series, i);
    const box = this.host.getBoundingClientRect();
    show_tip(content, box.left + scrollX + grid.xs[at], box.top + scrollY + grid.ys[at]);
    if (speak) document.getElementById('spoken').textContent = spoken(content);
    this.pointed(series.id ? series.id[i] : null);
  }

  /** Marks the point with this id (null: none) without a tooltip. */
  follow(id) {
    const place = id === null ? null : this.locate(id);
    this.ring(place ? place.at : -1);
  }

  unpoint() {
    if (this.at >= 0) {
      hide_tip();
      this.pointed(null);
    }
    this.at = -1;
    this.ring(-1);
  }

  /** Where the point with this id lies on the host, or null if it is not drawn. */
  locate(id) {
    const grid = this.index();
    for (let k = 0; k < grid.xs.length; ++k) {
      const series = this.shown[this.owner[k]];
      if (series.id && series.id[this.within[k]] === id)
        return {at: k, x: grid.xs[k], y: grid.ys[k]};
    }
    return null;
  }

  mark(id) {
    const place = this.locate(id);
    if (place) this.point(place.at, false);
  }

  step(key) {
    const grid = this.index();
    if (!this.walk) {
      const all = [...grid.xs.keys()];
      const main = all.filter((k) => this.shown[this.owner[k]].main);
      this.walk = (main.length ? main : all).sort((a, b) => grid.xs[a] - grid.xs[b] || a - b);
    }
    const last = this.walk.length - 1;
    if (last < 0) return;
    let place = this.walk.indexOf(this.at);
    if (key === 'Home')
      place = 0;
    else if (key === 'End')
      place = last;
    else if (key === 'ArrowRight' || key === 'ArrowUp')
      place = Math.min(last, place + 1);
    else
      place = place < 0 ? last : Math.max(0, place - 1);
    this.point(this.walk[place], true);
  }

  choose(at) {
    const id = this.id_of(at);
    if (this.pick && id !== null) this.pick(id);
    this.ring(this.at);
  }

  zoom(view) {
    this.view = view;
    this.draw();
  }

  listen() {
    const where = (event) => {
      const box = this.host.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let from = null;
    let dragged = false;
    const canvas = this.under;
    canvas.addEventListener('pointerdown', (event) => {
      dragged = false;
      if (event.pointerType === 'touch') {
        this.point(this.index().nearest(...where(event), 60), false);
      } else if (event.button === 0) {
        from = where(event);
        canvas.setPointerCapture(event.pointerId);
      }
    });
    canvas.addEventListener('pointermove', (event) => {
      if (event.pointerType === 'touch' || !this.series.length) return;
      const [x, y] = where(event);
      if (!from) return this.point(this.index().nearest(x, y, 40), false);
      if (Math.abs(x - from[0]) < 8 && Math.abs(y - from[1]) < 8) return;
      this.unpoint();
      const pen = this.over.getContext('2d');
      pen.fillStyle = this.colour('accent');
      pen.globalAlpha = 0.14;
      pen.fillRect(from[0], from[1], x - from[0], y - from[1]);
      pen.globalAlpha = 1;
    });
    canvas.addEventListener('pointerup', (event) => {
      if (!from) return;
      const [x, y] = where(event);
      const [a, b] = from;
      from = null;
      dragged = Math.abs(x - a) >= 8 || Math.abs(y - b) >= 8;
      if (Math.abs(x - a) < 8 || Math.abs(y - b) < 8) return;
      const vx = (p) =>
          this.lo[0] + (Math.min(this.right, Math.max(this.left, p)) - this.left) / this.fx;
      const vy = (p) =>
          this.lo[1] + (this.bottom - Math.min(this.bottom, Math.max(this.top, p))) / this.fy;
      this.zoom({
        x: [vx(Math.min(a, x)), vx(Math.max(a, x))],
        y: [vy(Math.max(b, y)), vy(Math.min(b, y))]
      });
    });
    canvas.addEventListener('click', () => {
      if (!dragged && this.at >= 0) this.choose(this.at);
    });
    canvas.addEventListener('pointercancel', () => {
      from = null;
    });
    canvas.addEventListener('dblclick', () => this.zoom(null));
    this.host.addEventListener('pointerleave', (event) => {
      if (event.pointerType !== 'touch') this.unpoint();
    });
    this.host.addEventListener('focusout', () => this.unpoint());
    this.host.addEventListener('keydown', (event) => {
      if (event.target !== this.host) return;
      if (event.key === 'Escape') return this.view ? this.zoom(null) : this.unpoint();
      if (event.key === 'Enter' && this.at >= 0) return this.choose(this.at);
      if (!/^(Arrow|Home$|End$)/.test(event.key)) return;
      event.preventDefault();
      this.step(event.key);
    });
  }
}

function redraw() {
  for (const plot of plots) plot.draw();
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
let pending = 0;
let known_width = innerWidth;
addEventListener('resize', () => {
  if (innerWidth === known_width) return;  // phones resize as their bars come and go
  known_width = innerWidth;
  cancelAnimationFrame(pending);
  pending = requestAnimationFrame(redraw);
});

/** Buttons that show and hide the series of a plot. */
function legend(plot, entries) {
  return make('div', {class: 'legend'}, ...entries.map((entry) => {
    const swatch = make('span', {class: 'swatch ' + (entry.shape || '')});
    const set = entry.shape === 'ring' ? 'borderColor' : 'background';
    swatch.style[set] = 'var(--' + entry.colour + ')';
    const button = make(
        'button', {type: 'button', 'aria-pressed': String(!entry.hidden())}, swatch, entry.label);
    button.addEventListener('click', () => {
      entry.toggle();
      button.setAttribute('aria-pressed', String(!entry.hidden()));
      plot.draw();
    });
    return button;
  }));
}

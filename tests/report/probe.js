'use strict';

// Run by the tests inside a page that has drawn itself; what it returns is compared in C++.

/** Moves the mouse over the point of a plot that has this id; what the tooltip then says. */
function hover(plot, id) {
  const place = plot.locate(id);
  const box = plot.under.getBoundingClientRect();
  if (place)
    plot.under.dispatchEvent(new PointerEvent(
        'pointermove',
        {clientX: box.left + place.x, clientY: box.top + place.y, pointerType: 'mouse'}));
  if (tip.hidden) return {text: '', arch: ''};
  return {text: tip.innerText, arch: tip.querySelector('.arch').textContent};
}

/** What is said when a key is pressed on a plot. */
function press(plot, key) {
  plot.host.dispatchEvent(new KeyboardEvent('keydown', {key: key}));
  const words = document.getElementById('spoken').textContent;
  plot.unpoint();
  return words;
}

/** Whether something is drawn around the point of a plot that has this id. */
function ringed(plot, id) {
  const place = plot.locate(id);
  const ratio = plot.over.width / plot.width;
  const around = plot.over.getContext('2d').getImageData(
      (place.x - 8) * ratio, (place.y - 8) * ratio, 16 * ratio, 16 * ratio);
  return around.data.some((byte) => byte > 0);
}

const cells = (where) => [...document.querySelectorAll(where + ' td')].map((td) => td.innerText);

/** Unfolds and sorts all tables; then what no reader should meet anywhere on the page. */
function everything() {
  for (const details of document.querySelectorAll('details')) {
    details.open = true;
    details.dispatchEvent(new Event('toggle'));
  }
  for (const head of document.querySelectorAll('th button')) head.click();
  const words = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest('script, style, noscript, pre, code, .arch')) continue;
    if (/NaN|undefined|Infinity|\bnull\b|\[object/.test(node.data)) words.push(node.data);
  }
  return {
    words: words,
    missing: [...document.querySelectorAll('.missing')].map((note) => note.textContent),
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    errors: window.errors,
    facts: [...document.querySelectorAll('.facts div')].map((fact) => fact.textContent),
    text: document.querySelector('main').innerText
  };
}

/** Shows all of the front's plot, where it is zoomed to the front. */
function show_all() {
  if (!front_plot) return;
  front_plot.whole = true;
  front_plot.draw();
}

/** Clicks on the point of a plot that has this id. */
function click(plot, id) {
  hover(plot, id);
  plot.under.dispatchEvent(new PointerEvent('click', {pointerType: 'mouse'}));
  plot.unpoint();
}

/** What the card of the chosen network says; '' where none is shown. */
const card = () => section('network').hidden ? '' : section('network').innerText;

/** Points at the network of an evaluation, and uses every control of a job's page once. */
function look_at_job(number) {
  const result = {networks: count(), home: front_plot ? {...front_plot.drawn} : {}};
  result.reset = front_plot && !front_plot.reset.hidden ? front_plot.reset.textContent : '';
  show_all();
  result.plots = plots.map((plot) => plot.drawn);
  const drawn = () => front_plot ? {...front_plot.drawn} : {};
  result.front = drawn();
  const i = store.networks.evaluation.indexOf(number);
  if (front_plot && i >= 0) {
    result.hovered = hover(front_plot, i);
    front_plot.draw();
    result.draw_ms = Math.round(front_plot.milliseconds);
    // Points looked at by each of many look-ups: far fewer than there are.
    const grid = front_plot.index();
    grid.examined = 0;
    const spot = (k) => [(k * 7919) % front_plot.width, (k * 104729) % front_plot.height];
    const started = performance.now();
    result.lookups_found =
        [...Array(1000).keys()].filter((k) => grid.nearest(...spot(k), 40) >= 0).length;
    result.lookups_ms = Math.round(performance.now() - started);
    result.examined_per_lookup = Math.round(grid.examined / 1000);
    // The nearest point is the nearest one, by trying all.
    result.wrong_lookups = 0;
    for (let k = 0; k < 20; ++k) {
      const x = front_plot.left + (k * 97) % (front_plot.right - front_plot.left);
      const y = front_plot.top + (k * 61) % (front_plot.bottom - front_plot.top);
      let best = -1;
      let least = 1600;
      for (let p = 0; p < grid.xs.length; ++p) {
        const d = (grid.xs[p] - x) ** 2 + (grid.ys[p] - y) ** 2;
        if (d < least || (d === least && p > best)) [best, least] = [p, d];
      }
      if (grid.nearest(x, y, 40) !== best) ++result.wrong_lookups;
    }
    result.spoken = press(front_plot, 'Home');
    click(front_plot, i);
    result.card = card();
    result.rings = ringed(front_plot, i);
    result.copies =
        [...document.querySelectorAll('#network .copied code')].map((code) => code.textContent);
    click(front_plot, i);
    result.card_after = card();
  }
  const rows = document.querySelectorAll('#networks > .kept > .scroll tbody tr');
  result.table_rows = rows.length;
  result.hashes = [...document.querySelectorAll('#networks .hash')].map(
      (hash) => [hash.textContent, hash.title]);
  if (rows.length) {
    rows[0].click();
    result.card_of_row = card();
    choose(-1);
  }
  result.axes = axes().map((axis) => {
    const select = document.getElementById('axis-x');
    select.value = axis.key;
    select.dispatchEvent(new Event('change'));
    show_all();
    return {axis: axis.key, label: front_plot.axis_label(front_plot.x, front_plot.xs), ...drawn()};
  });
  return {...result, ...everything()};
}

/** Points at a network in the last plot of a ranking. */
function look_at_ranking(i) {
  const result = {
    plots: plots.map((plot) => plot.drawn),
    labels: plots.map((plot) => plot.axis_label(plot.x, plot.xs)),
    statistics: cells('#statistics > .scroll'),
    sharing: cells('#sharing'),
    best: cells('#best')
  };
  const last = plots.at(-1);
  result.hovered = hover(last, i);
  result.ringed = plots.filter((plot) => ringed(plot, i)).length;
  last.unpoint();
  result.ringed_after = plots.filter((plot) => ringed(plot, i)).length;
  result.spoken = press(plots[0], 'Home');
  return {...result, ...everything()};
}

'use strict';

let front_plot = null;

/** What an axis can show: {key, label, unit, value(i), better}. */
function axes() {
  const all = [];
  for (const metric of store.metrics) {
    const {name, label, unit, better, values, predicted} = metric;
    const objective = store.job.objectives.find((o) => o.metric === name);
    // Where a value was not measured, what was predicted stands in.
    const value =
        predicted ? (i) => missing(values[i]) ? predicted[i] : values[i] : (i) => values[i];
    all.push({key: name, label, unit, better, objective, value});
    if (predicted)
      all.push({
        key: name + ' predicted',
        label: label + ', predicted',
        unit,
        better,
        value: (i) => predicted[i]
      });
  }
  if (store.networks.evaluation.some((number) => !missing(number)))
    all.push(
        {key: 'evaluation', label: 'Evaluation', unit: 'count', better: '', value: evaluation});
  return all;
}

const groups = [
  {
    name: 'predicted',
    label: 'Not fully measured',
    colour: 'guess',
    shape: 'ring',
    size: 3,
    has: (i) => !store.on_front[i] && !store.complete[i]
  },
  {
    name: 'infeasible',
    label: 'Breaks a bound',
    colour: 'warn',
    shape: 'ring',
    size: 3,
    has: (i) => store.infeasible[i] && !store.on_front[i]
  },
  {
    name: 'dominated',
    label: 'Dominated',
    colour: 'dots',
    shape: 'disc',
    size: 3,
    has: (i) => !store.on_front[i] && !store.infeasible[i] && store.complete[i]
  },
  {
    name: 'front',
    label: 'Front',
    colour: 'accent',
    shape: 'disc',
    size: 4.5,
    main: true,
    has: (i) => store.on_front[i]
  },
];
const hidden_groups = new Set();

function points(group, x_of, y_of) {
  const ids = [];
  const xs = [];
  const ys = [];
  for (let i = 0; i < count(); ++i) {
    if (!group.has(i)) continue;
    const x = x_of.value(i);
    const y = y_of.value(i);
    if (missing(x) || missing(y)) continue;
    ids.push(i);
    xs.push(x);
    ys.push(y);
  }
  return {
    name: group.name,
    kind: 'points',
    id: Int32Array.from(ids),
    x: Float64Array.from(xs),
    y: Float64Array.from(ys),
    colour: group.colour,
    shape: group.shape,
    size: group.size,
    main: group.main,
    hidden: hidden_groups.has(group.name)
  };
}

/** The border of what the front dominates; only where the axes are all the objectives. */
function border(series, x_of, y_of) {
  if (store.job.objectives.length !== 2 || !x_of.objective || !y_of.objective || x_of === y_of)
    return [];
  const order = [...series.x.keys()].sort((a, b) => series.x[a] - series.x[b]);
  return [{
    name: 'border',
    kind: x_of.objective.maximise ? 'step-before' : 'step',
    quiet: true,
    width: 1.25,
    x: Float64Array.from(order, (k) => series.x[k]),
    y: Float64Array.from(order, (k) => series.y[k]),
    colour: 'accent',
    hidden: series.hidden
  }];
}

/**
 * The part of the plane where the front lies, with some room around it, or null where that is a
 * third of everything or more: what one outlier would squeeze.
 */
function around_front(front, all) {
  if (front.x.length < 2) return null;
  const view = {};
  let squeezed = false;
  for (const axis of ['x', 'y']) {
    const [lo, hi] = range_of([front], axis);
    const [least, most] = range_of(all, axis);
    const room = 0.25 * (hi - lo) || 0.05 * Math.abs(lo) || 1;
    view[axis] = [Math.max(lo - room, least - 0.2 * room), Math.min(hi + room, most + 0.2 * room)];
    squeezed ||= most - least > 3 * (view[axis][1] - view[axis][0]);
  }
  return squeezed ? view : null;
}

const picked_axes = {
  x: null,
  y: null
};  // keys that the reader chose

function chosen_axes(all) {
  const of = (key) => all.find((axis) => axis.key === key);
  const wanted = store.job.objectives.map((o) => of(o.metric)).filter(Boolean);
  const y = of(picked_axes.y) || wanted[0] || all[0];
  const x = of(picked_axes.x) || wanted.find((axis) => axis !== y) ||
      all.find((axis) => axis !== y && axis.key !== y.key + ' predicted') || y;
  return {x, y};
}

/** What selects the axes, and the legend, which hides groups. */
function make_bar(host) {
  const bar = {selects: {}, legend: make('div')};
  for (const name of ['y', 'x']) {
    const select = bar.selects[name] = make('select', {id: 'axis-' + name});
    select.addEventListener('change', () => {
      picked_axes[name] = select.value;
      draw(new Set(['axes']));
    });
    host.append(make('label', {}, name === 'y' ? 'Up' : 'Across', select));
  }
  host.className = 'bar';
  host.append(bar.legend);
  return bar;
}

function fill_bar(bar, all, axis, counts) {
  for (const name of ['y', 'x']) {
    const select = bar.selects[name];
    const keys = all.map((a) => a.key).join('\n');
    if (select.dataset.keys !== keys) {
      select.replaceChildren(...all.map((a) => make('option', {value: a.key, text: a.label})));
      select.dataset.keys = keys;
    }
    select.value = axis[name].key;
  }
  const entries = groups.filter((group) => counts[group.name])
                      .reverse()
                      .map((group) => ({
                             label: group.label + ' ' + whole(counts[group.name]),
                             colour: group.colour,
                             shape: group.shape,
                             hidden: () => hidden_groups.has(group.name),
                             toggle: () => {
                               if (!hidden_groups.delete(group.name)) hidden_groups.add(group.name);
                               for (const series of front_plot.series)
                                 if (series.name === group.name ||
                                     (group.name === 'front' && series.name === 'border'))
                                   series.hidden = hidden_groups.has(group.name);
                             },
                           }));
  const names = entries.map((entry) => entry.label).join('\n');
  if (bar.legend.dataset.names === names) return;
  const fresh = legend(front_plot, entries);
  fresh.dataset.names = names;
  bar.legend.replaceWith(fresh);
  bar.legend = fresh;
}

function not_drawn(drawn, x_of, y_of) {
  const left = count() - drawn;
  if (left <= 0) return '';
  return plural(left, 'network') + (left === 1 ? ' has' : ' have') + ' no value of ' +
      (x_of === y_of ? x_of.label : x_of.label + ' or ' + y_of.label) + ' and ' +
      (left === 1 ? 'is' : 'are') + ' not drawn.';
}

function front_introduction(part) {
  const {objectives, constraints} = store.job;
  if (!objectives.length) return;
  part.lead(
      'Networks that no other measured network beats in ' +
          list(objectives.map(
              (o) => in_sentence(label(o.metric)) + ' (' + (o.maximise ? 'higher' : 'lower') +
                  ' is better)')) +
          (constraints.length ? ', of those with ' + list(constraints.map(bound_text)) : '') + '. ',
      make(
          'span',
          {class: 'mouse', text: 'Point at a network to see it, click to keep it, drag to zoom.'}));
  if (store.front.length) return;
  const lacking =
      objectives.filter((o) => !metric_named(o.metric)?.values.length).map((o) => o.metric);
  part.nothing(
      (store.infeasible.some((broken) => broken) ?
           'No network that was measured keeps ' + list(constraints.map(bound_text)) :
           'No network has a measured value of every objective yet') +
      (lacking.length ? ': none at all for ' + list(lacking) : '') +
      '. What is known is shown below.');
}

function front_section(part) {
  const {job} = store;
  const all = axes();
  if (!job.objectives.length) part.nothing('The job names no objective, so there is no front.');
  if (!all.length || !count())
    return part.nothing(
        'No network has been measured or predicted yet' +
        (going_on() ? ' (the job is in its phase “' + job.phase + '”).' : '.'));
  front_introduction(part);
  const axis = chosen_axes(all);
  const series = groups.map((group) => points(group, axis.x, axis.y));
  const front = series.at(-1);
  const counts = Object.fromEntries(groups.map((group) => [group.name, 0]));
  for (let i = 0; i < count(); ++i) ++counts[groups.find((group) => group.has(i)).name];
  const bar = part.keep('bar', make_bar);
  const plot = front_plot = part.plot('front', {height: 460});
  fill_bar(bar, all, axis, counts);
  const drawn = series.reduce((sum, s) => sum + s.x.length, 0);
  plot.set({
    series: [
      ...series.slice(0, -1).filter((s) => s.name !== 'infeasible' || job.constraints.length),
      ...border(front, axis.x, axis.y), front
    ],
    x: axis.x,
    y: axis.y,
    home: around_front(front, series),
    home_name: 'the front',
    bounds: job.constraints.flatMap(
        (c) => ['x', 'y']
                   .filter((name) => axis[name].key === c.metric)
                   .map((name) => ({axis: name, at: c.bound, text: bound_text(c)}))),
    tip: (s, i) => network_tip(s.id[i]),
    pick: choose,
    chosen: chosen,
    summary: axis.y.label + ' against ' + axis.x.label + ' of ' + plural(drawn, 'network') + ', ' +
        front.x.length + ' of them on the front.',
  });
  part.note(not_drawn(drawn, axis.x, axis.y));
}

/** Tables of the networks. */
function networks_section(part) {
  if (!count()) return;
  const shared = {
    point: (i) => i === null ? front_plot?.unpoint() : front_plot?.mark(i),
    pick: choose,
    chosen: chosen,
  };
  if (store.front.length) {
    part.head('Networks of the front');
    part.table('front', {
      ...shared,
      columns: network_columns(store.front),
      rows: store.front,
      caption: 'Networks of the measured Pareto front'
    });
  }
  part.folded('all', 'All ' + plural(count(), 'network'), () => {
    const rows = every(() => true);
    return {...shared, columns: network_columns(rows), rows, caption: 'All networks of the job'};
  });
}

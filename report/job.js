'use strict';

const job = data.job;
const count = data.networks.arch.length;
for (const metric of data.metrics) Object.assign(metric, data.metric_types[metric.name]);
const metrics = new Map(data.metrics.map((metric) => [metric.name, metric]));
const front = new Uint8Array(count);
for (const i of data.front) front[i] = 1;

/** Text of a network: the page holds each part of the texts once. */
const arch = (i) => data.networks.arch[i].map((part) => data.networks.parts[part]).join(',');
const label = (name) => data.metric_types[name].label;
const unit = (name) => data.metric_types[name].unit;
const spaced = (how) => how.replace(/,(?! )/g, ', ');  // so that lines can break
const measured = (name, i) => {
  const m = metrics.get(name);
  return m ? m.values[i] : null;
};
const predicted = (name, i) => {
  const m = metrics.get(name);
  return m && m.predicted ? m.predicted[i] : null;
};
/** In a state where more may come. */
const going_on = job.status === 'running' || job.status === 'interrupted';

// Measured in every objective, or not.
const complete = new Uint8Array(count);
if (job.objectives.length)
  for (let i = 0; i < count; ++i)
    complete[i] = job.objectives.every((o) => !missing(measured(o.metric, i))) ? 1 : 0;

/** The bounds that a network breaks: a value that was not measured keeps none. */
const sign = (c) => c.upper ? ' ≤ ' : ' ≥ ';
const bound_text = (c) => label(c.metric) + sign(c) + text(c.bound, unit(c.metric));
function broken(i) {
  return job.constraints.filter((c) => {
    const value = measured(c.metric, i);
    return missing(value) || (c.upper ? value > c.bound : value < c.bound);
  });
}
const infeasible = new Uint8Array(count);
if (job.constraints.length)
  for (let i = 0; i < count; ++i) infeasible[i] = complete[i] && broken(i).length ? 1 : 0;

/** Marks a value that its own note calls too long. */
const suspect = (metric, i) => metric && metric.notes && metric.notes[i] || '';

/** All that is known of a network. */
function network_tip(i) {
  const rows = [];
  const number = data.networks.evaluation[i];
  if (!missing(number)) rows.push(['Evaluation', whole(number)]);
  for (const metric of data.metrics) {
    const value = metric.values[i];
    const note = suspect(metric, i);
    if (!missing(value)) {
      const error = metric.errors ? metric.errors[i] : null;
      rows.push([metric.label, with_error(value, error, metric.unit) + (note ? ' ⚠' : '')]);
      if (note) rows.push(['⚠', note]);
    }
    const guess = predicted(metric.name, i);
    if (!missing(guess))
      rows.push(
          [metric.label + ', predicted', with_error(guess, metric.deviations[i], metric.unit)]);
  }
  const note = front[i] ? 'On the front' :
      infeasible[i]     ? 'Breaks ' + list(broken(i).map(bound_text)) :
      complete[i]       ? 'Dominated' :
                          'Not measured in every objective';
  return {arch: arch(i), rows: rows, note: job.objectives.length ? note : ''};
}

/** Columns of a table of networks: each metric as predicted and as measured, side by side. */
function network_columns() {
  const columns = [
    numbers('Eval.', data.networks.evaluation, whole),
    {title: 'Architecture', arch: true, value: arch},
  ];
  for (const metric of data.metrics) {
    const column = (title, values, errors, marked) => {
      const show = column_text(values, metric.unit);
      return {
        title: title,
        number: true,
        value: (i) => values[i],
        show: (i) => show(values[i]) + (marked && suspect(metric, i) ? ' ⚠' : ''),
        error: (i) => errors && errors[i] ? error_behind(values[i], errors[i], metric.unit) : ''
      };
    };
    if (metric.predicted)
      columns.push(column(metric.label + '\npredicted', metric.predicted, metric.deviations));
    const some = metric.values.some((value) => !missing(value));
    if (some)
      columns.push(column(
          metric.label + (metric.predicted ? '\nmeasured' : ''), metric.values, metric.errors,
          true));
  }
  return columns;
}

function every(test) {
  const chosen = [];
  for (let i = 0; i < count; ++i)
    if (test(i)) chosen.push(i);
  return chosen;
}

// ---------------------------------------------------------------- header

function summary() {
  const parts = [];
  if (count) parts.push(plural(count, 'network'));
  if (data.front.length) parts.push(whole(data.front.length) + ' on the measured front');
  const evaluated = data.networks.evaluation.filter((number) => !missing(number)).length;
  if (evaluated) parts.push(plural(evaluated, 'evaluation'));
  if (data.generations.number.length)
    parts.push(plural(data.generations.number.length, 'generation'));
  return parts.length ? parts.join(' · ') : 'No network has been evaluated yet.';
}

function header_section() {
  header('Mosaic report', job.name, job.status, job.facts);
  const message = (words) => make('p', {class: 'message', text: words});
  document.querySelector('h1').after(
      make('p', {id: 'summary', text: summary()}), job.message ? message(job.message) : '',
      ...data.remarks.map((remark) => message('⚠ ' + remark)));
  section('header').append(make(
      'details', {class: 'config'},
      make(
          'summary', {}, 'Job file',
          ...(job.config_path ? [' ', make('code', {text: job.config_path})] : [])),
      job.config ?
          make('pre', {text: job.config}) :
          make('p', {class: 'missing', text: 'The database holds no text of the job file.'})));
}

// ---------------------------------------------------------------- front

/** What an axis can show: {key, label, unit, value(i), better}. */
const axes = [];
for (const metric of data.metrics) {
  axes.push({
    key: metric.name,
    label: metric.label,
    unit: metric.unit,
    better: metric.better,
    objective: job.objectives.find((o) => o.metric === metric.name),
    value: (i) => missing(metric.values[i]) ? predicted(metric.name, i) : metric.values[i]
  });
  if (metric.predicted)
    axes.push({
      key: metric.name + ' predicted',
      label: metric.label + ', predicted',
      unit: metric.unit,
      better: metric.better,
      value: (i) => metric.predicted[i]
    });
}
if (data.networks.evaluation.some((number) => !missing(number)))
  axes.push({
    key: 'evaluation',
    label: 'Evaluation',
    unit: 'count',
    better: '',
    value: (i) => data.networks.evaluation[i]
  });

let front_plot = null;

function front_section() {
  if (!job.objectives.length) nothing('front', 'The job names no objective, so there is no front.');
  const lacking = job.objectives.filter((o) => !metrics.has(o.metric)).map((o) => o.metric);
  if (!axes.length || !count)
    return nothing(
        'front',
        'No network has been measured or predicted yet' +
            (going_on ? ' (the job is in its phase “' + job.phase + '”).' : '.'));
  if (job.objectives.length) {
    lead(
        'front',
        'Networks that no other measured network beats in ' +
            list(job.objectives.map(
                (o) => in_sentence(label(o.metric)) + ' (' + (o.maximise ? 'higher' : 'lower') +
                    ' is better)')) +
            (job.constraints.length ? ', of those with ' + list(job.constraints.map(bound_text)) :
                                      '') +
            '. Point at a network to see it',
        make('span', {class: 'mouse', text: ', drag to zoom'}), '.');
    if (!data.front.length)
      nothing(
          'front',
          (infeasible.some((broken) => broken) ?
               'No network that was measured keeps ' + list(job.constraints.map(bound_text)) :
               'No network has a measured value of every objective yet') +
              (lacking.length ? ': none at all for ' + list(lacking) : '') +
              '. What is known is shown below.');
  }
  const wanted =
      job.objectives.map((o) => axes.find((axis) => axis.key === o.metric)).filter(Boolean);
  const chosen = {y: wanted[0] || axes[0]};
  chosen.x = wanted[1] ||
      axes.find((axis) => axis !== chosen.y && axis.key !== chosen.y.key + ' predicted') ||
      chosen.y;

  const bar = make('div', {class: 'bar'});
  section('front').append(bar);
  const plot = front_plot = new Plot(section('front'), {height: 460});
  const note = make('p', {class: 'note'});
  section('front').append(note);

  const groups = [
    {
      name: 'predicted',
      label: 'Not fully measured',
      colour: 'guess',
      shape: 'ring',
      size: 3,
      has: (i) => !front[i] && !complete[i]
    },
    {
      name: 'infeasible',
      label: 'Breaks a bound',
      colour: 'warn',
      shape: 'ring',
      size: 3,
      has: (i) => infeasible[i] && !front[i],
      unused: !job.constraints.length
    },
    {
      name: 'dominated',
      label: 'Dominated',
      colour: 'dots',
      shape: 'disc',
      size: 3,
      has: (i) => !front[i] && !infeasible[i] && complete[i]
    },
    {
      name: 'front',
      label: 'Front',
      colour: 'accent',
      shape: 'disc',
      size: 4.5,
      main: true,
      has: (i) => front[i]
    },
  ].filter((group) => !group.unused);
  const hidden = new Set();

  function points(group) {
    const ids = [];
    const xs = [];
    const ys = [];
    for (let i = 0; i < count; ++i) {
      if (!group.has(i)) continue;
      const x = chosen.x.value(i);
      const y = chosen.y.value(i);
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
      hidden: hidden.has(group.name)
    };
  }

  /** The border of what the front dominates; only where the axes are all the objectives. */
  function border(series) {
    if (job.objectives.length !== 2 || !chosen.x.objective || !chosen.y.objective ||
        chosen.x === chosen.y)
      return [];
    const order = [...series.x.keys()].sort((a, b) => series.x[a] - series.x[b]);
    return [{
      name: 'border',
      kind: chosen.x.objective.maximise ? 'step-before' : 'step',
      quiet: true,
      width: 1.25,
      x: Float64Array.from(order, (k) => series.x[k]),
      y: Float64Array.from(order, (k) => series.y[k]),
      colour: 'accent',
      hidden: series.hidden
    }];
  }

  function show() {
    const series = groups.map(points);
    const drawn = series.reduce((sum, s) => sum + s.x.length, 0);
    plot.set({
      series: [...series.slice(0, -1), ...border(series.at(-1)), series.at(-1)],
      x: chosen.x,
      y: chosen.y,
      bounds: job.constraints.flatMap(
          (c) => ['x', 'y']
                     .filter((axis) => chosen[axis].key === c.metric)
                     .map((axis) => ({axis: axis, at: c.bound}))),
      tip: (s, i) => network_tip(s.id[i]),
      summary: chosen.y.label + ' against ' + chosen.x.label + ' of ' + plural(drawn, 'network') +
          ', ' + series.at(-1).x.length + ' of them on the front.',
    });
    note.textContent = drawn < count ? plural(count - drawn, 'network') +
            (count - drawn === 1 ? ' has' : ' have') + ' no value of ' +
            (chosen.x === chosen.y ? chosen.x.label : chosen.x.label + ' or ' + chosen.y.label) +
            ' and ' + (count - drawn === 1 ? 'is' : 'are') + ' not drawn.' :
                                       '';
  }

  for (const axis of ['y', 'x']) {
    const select = make(
        'select', {id: 'axis-' + axis},
        ...axes.map((a) => make('option', {value: a.key, text: a.label})));
    select.value = chosen[axis].key;
    select.addEventListener('change', () => {
      chosen[axis] = axes.find((a) => a.key === select.value);
      show();
    });
    bar.append(make('label', {}, axis === 'y' ? 'Up' : 'Across', select));
  }
  bar.append(legend(
      plot,
      groups.slice()
          .reverse()
          .filter((group) => every(group.has).length)
          .map((group) => ({
                 label: group.label + ' ' + whole(every(group.has).length),
                 colour: group.colour,
                 shape: group.shape,
                 hidden: () => hidden.has(group.name),
                 toggle: () => {
                   if (!hidden.delete(group.name)) hidden.add(group.name);
                   for (const series of plot.series)
                     if (series.name === group.name ||
                         (group.name === 'front' && series.name === 'border'))
                       series.hidden = hidden.has(group.name);
                 },
               }))));
  show();

  const point = (i) => i === null ? plot.unpoint() : plot.mark(i);
  if (data.front.length) {
    section('front').append(make('h3', {text: 'Networks of the front'}));
    new Table(section('front'), {
      columns: network_columns(),
      rows: data.front,
      point: point,
      caption: 'Networks of the measured Pareto front'
    });
  }
  folded(section('front'), 'All ' + plural(count, 'network'), () => {
    const rows = every(() => true);
    return {columns: network_columns(), rows, point, caption: 'All networks of the job'};
  });
}

// ---------------------------------------------------------------- hypervolume

function hypervolume_section() {
  const g = data.generations;
  const kept = [...g.number.keys()].filter((k) => !missing(g.hypervolume[k]));
  if (!kept.length)
    return nothing(
        'hypervolume',
        g.number.length ?
            'No generation has a hypervolume yet.' :
            'No generation of a search has been completed' + (going_on ? ' yet.' : '.'));
  lead(
      'hypervolume',
      'How much the front found so far dominates, after each generation. Objectives are ' +
          'scaled to the range of the first networks, so the value can pass 1; predictions ' +
          'stand in where the search used them.');
  const plot = new Plot(section('hypervolume'), {height: 280});
  const x = Float64Array.from(kept, (k) => g.evaluations[k]);
  const y = Float64Array.from(kept, (k) => g.hypervolume[k]);
  const tip = (s, i) => ({
    title: 'Generation ' + whole(g.number[kept[i]]),
    rows: [
      ['Evaluations', whole(x[i])], ['Hypervolume', digits(y[i], 5)],
      ['Networks on the front', whole(g.front[kept[i]])]
    ]
  });
  plot.set({
    series: [
      {name: 'line', kind: 'step', x: x, y: y, colour: 'accent', quiet: kept.length < 200},
      ...(kept.length < 200 ?
              [{name: 'dots', kind: 'points', x: x, y: y, colour: 'accent', size: 2.75}] :
              [])
    ],
    x: {label: 'Evaluations', unit: '', whole: true},
    y: {label: 'Hypervolume', unit: '', better: 'higher'},
    tip: tip,
    summary: 'Hypervolume over evaluations: ' + digits(y[0]) + ' after the first generation, ' +
        digits(y.at(-1)) + ' after the last.',
  });
  folded(
      section('hypervolume'), 'Generations',
      () => ({
        rows: kept,
        caption: 'Generations',
        columns: [
          numbers('Generation', g.number, String), numbers('Evaluations', g.evaluations, whole),
          numbers('Hypervolume', g.hypervolume, (value) => digits(value, 5)),
          numbers('Networks on the front', g.front, whole)
        ]
      }));
}

// ---------------------------------------------------------------- predicted against measured

function tiles(parent, entries) {
  parent.replaceChildren(
      ...entries.filter((entry) => entry[0] !== '–')
          .map(([value,
                 name]) => make('div', {}, make('b', {text: value}), make('span', {text: name}))));
}

function agreement_section() {
  const list_of = data.agreement;
  const any = data.metrics.filter((metric) => metric.predicted);
  if (!list_of.length)
    return nothing(
        'agreement',
        !any.length ? 'The job has no predictions: every objective was measured directly.' :
                      'Predictions of ' + list(any.map((m) => in_sentence(label(m.name)))) +
                ' were made, but none of these networks has been measured' +
                (going_on ? ' yet.' : '.'));
  lead(
      'agreement',
      'Networks that were both predicted and measured; on the dashed line the two agree. ' +
          'Networks that the predictor learned from flatter it.');
  const bar = make('div', {class: 'bar'});
  const numbers = make('div', {class: 'tiles'});
  section('agreement').append(bar, numbers);
  const plot = new Plot(section('agreement'), {height: 520, square: true});
  const by = make('p', {class: 'note'});
  section('agreement').append(by);
  let chosen = null;

  function show(name) {
    chosen = list_of.find((entry) => entry.metric === name);
    const metric = metrics.get(name);
    const ids =
        Int32Array.from(every((i) => !missing(metric.values[i]) && !missing(metric.predicted[i])));
    tiles(numbers, [
      [whole(chosen.records), 'networks'],
      [missing(chosen.mape) ? '–' : digits(chosen.mape, 3) + '%', 'mean absolute error (MAPE)'],
      [missing(chosen.kendall) ? '–' : chosen.kendall.toFixed(3), 'Kendall τ'],
      [missing(chosen.spearman) ? '–' : chosen.spearman.toFixed(3), 'Spearman ρ'],
      [
        missing(chosen.coverage) ? '–' : digits(100 * chosen.coverage, 3) + '%',
        'within the predicted 90% interval'
      ],
    ]);
    plot.set({
      series: [{
        name: 'networks',
        kind: 'points',
        id: ids,
        colour: 'accent',
        shape: 'disc',
        size: 3,
        x: Float64Array.from(ids, (i) => metric.predicted[i]),
        y: Float64Array.from(ids, (i) => metric.values[i])
      }],
      x: {label: label(name) + ', predicted', unit: metric.unit},
      y: {label: label(name) + ', measured', unit: metric.unit},
      equal: true,
      diagonal: true,
      tip: (s, i) => network_tip(s.id[i]),
      summary: 'Predicted against measured ' + label(name) + ' of ' +
          plural(ids.length, 'network') + '.',
    });
    by.textContent = 'Predicted by ' + list(chosen.predictors) + '.';
  }
  const start = list_of.find((entry) => data.metric_types[entry.metric].timed) || list_of[0];
  if (list_of.length > 1) {
    const select = make(
        'select', {},
        ...list_of.map(
            (entry) => make('option', {value: entry.metric, text: label(entry.metric)})));
    select.value = start.metric;
    select.addEventListener('change', () => show(select.value));
    bar.append(make('label', {}, 'Metric', select));
  } else {
    bar.remove();
  }
  show(start.metric);
  folded(section('agreement'), 'Numbers', () => {
    const of = (name) => metrics.get(name);
    const rows = list_of.flatMap(
        (entry) => every(
                       (i) => !missing(of(entry.metric).values[i]) &&
                           !missing(of(entry.metric).predicted[i]))
                       .map((i) => ({name: entry.metric, i: i})));
    const error = (r) => 100 * (of(r.name).predicted[r.i] / of(r.name).values[r.i] - 1);
    return {
      rows: rows,
      caption: 'Predicted and measured values',
      columns: [
        {title: 'Metric', value: (r) => label(r.name)},
        {title: 'Architecture', arch: true, value: (r) => arch(r.i)},
        {
          title: 'Predicted',
          number: true,
          value: (r) => of(r.name).predicted[r.i],
          show: (r) => text(of(r.name).predicted[r.i], of(r.name).unit)
        },
        {
          title: 'Measured',
          number: true,
          value: (r) => of(r.name).values[r.i],
          show: (r) => text(of(r.name).values[r.i], of(r.name).unit)
        },
        {
          title: 'Error',
          number: true,
          value: (r) => missing(error(r)) ? null : error(r),
          show: (r) => (error(r) > 0 ? '+' : '') + error(r).toFixed(1) + '%'
        },
      ]
    };
  });
}

// ---------------------------------------------------------------- training

function training_section() {
  const t = data.training;
  const steps = [...t.step.keys()];
  if (!steps.length)
    return nothing(
        'training',
        'No training steps are recorded: ' +
            (job.phase === 'train' && going_on ?
                 'training has not logged any yet.' :
                 'this job did not train a supernet, or used one that was trained before.'));
  const timed = t.epoch.some((epoch) => !missing(epoch) && epoch > 0);
  const across = timed ? t.epoch : t.step;
  const labels = t.metrics.map((metric) => label(metric.name));
  lead(
      'training',
      list([labels[0], ...labels.slice(1).map(in_sentence)]) +
          ' of the subnets sampled while the supernet was trained, on training batches.');
  const columns = [
    numbers('Epoch', t.epoch),
    ...t.metrics.map((m) => numbers(label(m.name), m.values, (value) => text(value, unit(m.name)))),
    numbers('Learning rate', t.learning_rate),
    numbers('Examples per second', t.examples_per_second, whole),
  ];
  const tip = (k) => ({
    title: 'Step ' + whole(t.step[k]),
    rows: columns.map((column) => [column.title, missing(column.value(k)) ? '–' : column.show(k)])
  });
  for (const metric of t.metrics) {
    const type = data.metric_types[metric.name];
    const kept =
        Int32Array.from(steps.filter((k) => !missing(across[k]) && !missing(metric.values[k])));
    if (!kept.length) {
      nothing('training', 'No ' + in_sentence(type.label) + ' was recorded.');
      continue;
    }
    const series = {
      name: metric.name,
      x: Float64Array.from(kept, (k) => across[k]),
      y: Float64Array.from(kept, (k) => metric.values[k]),
      colour: 'accent',
      id: kept
    };
    const few = kept.length < 80;
    new Plot(section('training'), {height: 240}).set({
      series: [
        {...series, kind: 'line', quiet: few},
        ...(few ? [{...series, name: metric.name + ' points', kind: 'points', size: 2.75}] : [])
      ],
      x: {label: timed ? 'Epoch' : 'Step', unit: ''},
      y: type,
      tip: (s, i) => tip(s.id[i]),
      summary: type.label + ' in training: ' + text(series.y[0], type.unit) + ' at first, ' +
          text(series.y.at(-1), type.unit) + ' at last.',
    });
  }
  folded(
      section('training'), 'Training steps', () => ({
                                               rows: steps,
                                               caption: 'Training steps',
                                               columns: [numbers('Step', t.step, whole), ...columns]
                                             }));
}

// ---------------------------------------------------------------- timings

function timings_section() {
  const t = data.timings;
  const {label: timed, unit: of_time} = data.metric_types[t.metric];
  const all = [...t.value.keys()];
  const timed_arch = (k) => t.network[k] >= 0 ? arch(t.network[k]) : t.texts[t.arch[k]];
  if (!all.length)
    return nothing(
        'timings',
        'No latency was measured: ' +
            (job.objectives.some((o) => o.metric === t.metric) ?
                 (going_on ? 'the job has not come to it yet.' : 'the job ended before it.') :
                 'it is not an objective of this job.'));
  lead(
      'timings',
      'Every timing in the order in which it was taken. A reference network is timed again ' +
          'every few measurements: where its time rises, the device was slower, and the ' +
          'timings around it are too long.');
  const failed = all.filter((k) => missing(t.value[k])).length;
  const latency = column_text(t.value, of_time);
  const how = (k) => t.texts[t.fidelity[k]];
  const tip = (k) => ({
    arch: timed_arch(k),
    title: t.reference[k] ? 'Reference network' : '',
    rows: [
      ['Measurement', whole(k + 1)],
      [timed, with_error(t.value[k], t.error[k], of_time)],
      ['Device', t.texts[t.device[k]] || '–'],
      ['Taking it cost', missing(t.seconds[k]) ? '–' : text(t.seconds[k], 's')],
    ],
    note: t.texts[t.message[k]]
  });
  const of = (reference) =>
      Int32Array.from(all.filter((k) => t.reference[k] === reference && !missing(t.value[k])));
  const last = all.length;

  const own = of(0);
  if (own.length)
    new Plot(section('timings'), {height: 260}).set({
      series: [{
        name: 'networks',
        kind: 'points',
        id: own,
        x: Float64Array.from(own, (k) => k + 1),
        y: Float64Array.from(own, (k) => t.value[k]),
        colour: 'dots',
        shape: 'disc',
        size: 2.75
      }],
      x: {label: 'Measurement', unit: '', whole: true},
      y: {label: timed + ' of the networks', unit: of_time},
      tip: (s, i) => tip(s.id[i]),
      summary: timed + ' of ' + plural(own.length, 'timing') + ' in order.',
    });
  const reference = of(1);
  if (reference.length) {
    const best = reference.reduce((least, k) => Math.min(least, t.value[k]), Infinity);
    const worst = reference.reduce((most, k) => Math.max(most, t.value[k]), 0);
    const x = Float64Array.from(reference, (k) => k + 1);
    const y = Float64Array.from(reference, (k) => t.value[k]);
    const series = {x: x, y: y, id: reference, colour: 'accent'};
    const few = reference.length < 200;
    new Plot(section('timings'), {height: 220}).set({
      series: [
        {...series, name: 'reference', kind: 'line', quiet: few},
        ...(few ? [{...series, name: 'reference points', kind: 'points', size: 3}] : [])
      ],
      x: {label: 'Measurement', unit: '', whole: true},
      y: {label: timed + ' of the reference network', unit: of_time},
      tip: (s, i) => {
        const content = tip(s.id[i]);
        if (best > 0)
          content.rows.splice(2, 0, ['Against its best', (s.y[i] / best).toFixed(2) + '×']);
        return content;
      },
      summary: timed + ' of the reference network over the measurements.',
    });
    if (best > 0)
      section('timings').append(make('p', {
        class: 'note',
        text: 'The reference network took between ' + text(best, of_time) + ' and ' +
            text(worst, of_time) + ': at most ' + (worst / best).toFixed(2) + ' times its best.'
      }));
  } else {
    nothing(
        'timings',
        'No timings of a reference network: whether the device slowed down on the way ' +
            'cannot be told.');
  }
  if (failed)
    section('timings').append(make(
        'p',
        {class: 'note', text: plural(failed, 'timing') + ' failed; the table has the reasons.'}));
  folded(
      section('timings'), 'All ' + plural(last, 'timing'),
      () => ({
        rows: all,
        caption: 'Timings in the order taken',
        columns: [
          {title: 'No.', number: true, value: (k) => k + 1, show: (k) => whole(k + 1)},
          {title: 'Architecture', arch: true, value: timed_arch},
          {title: 'Of', value: (k) => t.reference[k] ? 'reference' : 'network'},
          {
            title: timed,
            number: true,
            value: (k) => t.value[k],
            show: (k) => latency(t.value[k]),
            error: (k) => t.error[k] ? digits(t.error[k], 2) : ''
          },
          {title: 'Device', value: (k) => t.texts[t.device[k]]},
          {title: 'How', value: how, show: (k) => spaced(how(k)), wide: true},
          {title: 'Note', value: (k) => t.texts[t.message[k]], wide: true},
        ]
      }));
}

// ---------------------------------------------------------------- sources

function sources_section() {
  if (!data.sources.length)
    return nothing('sources', 'No measurement has been recorded' + (going_on ? ' yet.' : '.'));
  lead('sources', 'Every kind of measurement in this job, and how it was made.');
  new Table(section('sources'), {
    rows: data.sources,
    caption: 'Kinds of measurement',
    columns: [
      {title: 'Metric', value: (row) => label(row.metric)},
      {title: 'How', wide: true, value: (row) => row.fidelity, show: (row) => spaced(row.fidelity)},
      {title: 'Device', value: (row) => row.device, wide: true},
      {title: 'Good', number: true, value: (row) => row.good, show: (row) => whole(row.good)},
      {title: 'Failed', number: true, value: (row) => row.failed, show: (row) => whole(row.failed)},
    ]
  });
  if (!data.failures.length) return;
  section('sources').append(make('h3', {text: 'Failures'}));
  new Table(section('sources'), {
    rows: data.failures,
    caption: 'Failed measurements',
    columns: [
      {title: 'Metric', value: (row) => label(row.metric)},
      {title: 'Why', value: (row) => row.message || 'no reason recorded', wide: true},
      {title: 'Times', number: true, value: (row) => row.count, show: (row) => whole(row.count)},
    ]
  });
}

fill([
  header_section, front_section, hypervolume_section, agreement_section, training_section,
  timings_section, sources_section
]);

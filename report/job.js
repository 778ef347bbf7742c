'use strict';

// ---------------------------------------------------------------- header

function summary() {
  const parts = [];
  if (count()) parts.push(plural(count(), 'network'));
  if (store.front.length) parts.push(whole(store.front.length) + ' on the measured front');
  const evaluated = store.networks.evaluation.filter((number) => !missing(number)).length;
  if (evaluated) parts.push(plural(evaluated, 'evaluation'));
  if (store.generations.number.length)
    parts.push(plural(store.generations.number.length, 'generation'));
  return parts.length ? parts.join(' · ') : 'No network has been evaluated yet.';
}

function header_section(part) {
  const {job, remarks} = store;
  part.add(make(
      'p', {class: 'kind'},
      data.live ? make('a', {href: '/', text: 'All jobs'}) : 'Mosaic report'));
  part.add(make('h1', {}, job.name, ' ', chip(job.status)));
  part.add(make('p', {id: 'summary', text: summary()}));
  if (job.progress) part.add(progress_bar(job.progress));
  if (job.message) part.add(make('p', {class: 'message', text: job.message}));
  for (const remark of remarks) part.add(make('p', {class: 'message', text: '⚠ ' + remark}));
}

// ---------------------------------------------------------------- hypervolume

function hypervolume_section(part) {
  const g = store.generations;
  const kept = [...g.number.keys()].filter((k) => !missing(g.hypervolume[k]));
  if (!kept.length)
    return part.nothing(
        g.number.length ?
            'No generation has a hypervolume yet.' :
            'No generation of a search has been completed' + (going_on() ? ' yet.' : '.'));
  part.lead(
      'How much the front found so far dominates, after each generation. Objectives are ' +
      'scaled to the range of the first networks, so the value can pass 1; predictions ' +
      'stand in where the search used them.');
  const x = Float64Array.from(kept, (k) => g.evaluations[k]);
  const y = Float64Array.from(kept, (k) => g.hypervolume[k]);
  const tip = (s, i) => ({
    title: 'Generation ' + whole(g.number[kept[i]]),
    rows: [
      ['Evaluations', whole(x[i])], ['Hypervolume', digits(y[i], 5)],
      ['Networks on the front', whole(g.front[kept[i]])]
    ]
  });
  part.plot('hypervolume', {height: 280}).set({
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
  part.folded(
      'generations', 'Generations',
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

/** Networks of which a metric was both predicted and measured. */
function compared(metric) {
  return every((i) => !missing(metric.values[i]) && !missing(metric.predicted[i]));
}

let compared_metric = null;  // that the reader chose

function choose_compared(part, shown) {
  const select = part.keep('bar', (host) => {
    const made = make('select', {});
    made.addEventListener('change', () => {
      compared_metric = made.value;
      draw(new Set(['networks']));
    });
    host.className = 'bar';
    host.append(make('label', {}, 'Metric', made));
    return made;
  });
  const options =
      store.agreement.map(({metric}) => make('option', {value: metric, text: label(metric)}));
  if (select.children.length !== options.length) select.replaceChildren(...options);
  select.value = shown.metric;
}

const tiles = (entries) => make(
    'div', {class: 'tiles'},
    ...entries.filter((entry) => entry[0] !== '–')
        .map(([value,
               name]) => make('div', {}, make('b', {text: value}), make('span', {text: name}))));

function compared_table() {
  const rows = store.agreement.flatMap(({metric}) => {
    const of = metric_named(metric);
    return compared(of).map((i) => ({of, i}));
  });
  const error = ({of, i}) => 100 * (of.predicted[i] / of.values[i] - 1);
  const column = (title, value) =>
      ({title: title, number: true, value: value, show: (row) => text(value(row), row.of.unit)});
  return {
    rows: rows,
    caption: 'Predicted and measured values',
    columns: [
      {title: 'Metric', value: ({of}) => of.label},
      {title: 'Network', hash: true, value: ({i}) => hash(i)},
      column('Predicted', ({of, i}) => of.predicted[i]),
      column('Measured', ({of, i}) => of.values[i]),
      {
        title: 'Error',
        number: true,
        value: (row) => missing(error(row)) ? null : error(row),
        show: (row) => (error(row) > 0 ? '+' : '') + error(row).toFixed(1) + '%'
      },
    ]
  };
}

function agreement_section(part) {
  const any = store.metrics.filter((metric) => metric.predicted);
  if (!store.agreement.length)
    return part.nothing(
        !any.length ? 'The job has no predictions: every objective was measured directly.' :
                      'Predictions of ' + list(any.map((m) => in_sentence(m.label))) +
                ' were made, but none of these networks has been measured' +
                (going_on() ? ' yet.' : '.'));
  part.lead(
      'Networks that were both predicted and measured; on the dashed line the two agree. ' +
      'Networks that the predictor learned from flatter it.');
  const shown = store.agreement.find((entry) => entry.metric === compared_metric) ||
      store.agreement.find((entry) => store.metric_types[entry.metric].timed) || store.agreement[0];
  if (store.agreement.length > 1) choose_compared(part, shown);
  part.add(tiles([
    [whole(shown.records), 'networks'],
    [missing(shown.mape) ? '–' : digits(shown.mape, 3) + '%', 'mean absolute error (MAPE)'],
    [missing(shown.kendall) ? '–' : shown.kendall.toFixed(3), 'Kendall τ'],
    [missing(shown.spearman) ? '–' : shown.spearman.toFixed(3), 'Spearman ρ'],
    [
      missing(shown.coverage) ? '–' : digits(100 * shown.coverage, 3) + '%',
      'within the predicted 90% interval'
    ],
  ]));
  const metric = metric_named(shown.metric);
  const ids = Int32Array.from(compared(metric));
  part.plot('agreement', {height: 520, square: true}).set({
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
    x: {key: shown.metric, label: metric.label + ', predicted', unit: metric.unit},
    y: {key: shown.metric, label: metric.label + ', measured', unit: metric.unit},
    equal: true,
    diagonal: true,
    tip: (s, i) => network_tip(s.id[i]),
    pick: choose,
    summary:
        'Predicted against measured ' + metric.label + ' of ' + plural(ids.length, 'network') + '.',
  });
  part.note('Predicted by ' + list(shown.predictors) + '.');
  part.folded('numbers', 'Numbers', compared_table);
}

// ---------------------------------------------------------------- training

function training_section(part) {
  const t = store.training;
  const steps = [...t.step.keys()];
  if (!steps.length)
    return part.nothing(
        'No training steps are recorded: ' +
        (store.job.phase === 'train' && going_on() ?
             'training has not logged any yet.' :
             'this job did not train a supernet, or used one that was trained before.'));
  const timed = t.epoch.some((epoch) => !missing(epoch) && epoch > 0);
  const across = timed ? t.epoch : t.step;
  const recorded = Object.keys(t.metrics).filter((name) => name !== 'loss').sort();
  const names = ['loss', ...recorded].filter((name) => t.metrics[name]);
  const labels = names.map(label);
  part.lead(
      list([labels[0], ...labels.slice(1).map(in_sentence)]) +
      ' of the subnets sampled while the supernet was trained, on training batches.');
  const columns = [
    numbers('Epoch', t.epoch),
    ...names.map(
        (name) => numbers(label(name), t.metrics[name], (value) => text(value, unit(name)))),
    numbers('Learning rate', t.learning_rate),
    numbers('Examples per second', t.examples_per_second, whole),
  ];
  const tip = (k) => ({
    title: 'Step ' + whole(t.step[k]),
    rows: columns.map((column) => [column.title, missing(column.value(k)) ? '–' : column.show(k)])
  });
  for (const name of names) {
    const type = store.metric_types[name];
    const values = t.metrics[name];
    const kept = Int32Array.from(steps.filter((k) => !missing(across[k]) && !missing(values[k])));
    if (!kept.length) {
      part.nothing('No ' + in_sentence(type.label) + ' was recorded.');
      continue;
    }
    const series = {
      name: name,
      x: Float64Array.from(kept, (k) => across[k]),
      y: Float64Array.from(kept, (k) => values[k]),
      colour: 'accent',
      id: kept
    };
    const few = kept.length < 80;
    part.plot(name, {height: 240}).set({
      series: [
        {...series, kind: 'line', quiet: few},
        ...(few ? [{...series, name: name + ' points', kind: 'points', size: 2.75}] : [])
      ],
      x: {label: timed ? 'Epoch' : 'Step', unit: ''},
      y: type,
      tip: (s, i) => tip(s.id[i]),
      summary: type.label + ' in training: ' + text(series.y[0], type.unit) + ' at first, ' +
          text(series.y.at(-1), type.unit) + ' at last.',
    });
  }
  part.folded('steps', 'Training steps', () => ({
                                           rows: steps,
                                           caption: 'Training steps',
                                           columns: [numbers('Step', t.step, whole), ...columns]
                                         }));
}

// ---------------------------------------------------------------- timings

function timing_tip(k) {
  const t = store.timings;
  return {
    arch: arch_of(t.id[k]),
    title: t.how[k].reference ? 'Reference network' : '',
    rows: [
      ['Measurement', whole(k + 1)],
      [label(store.timed), with_error(t.value[k], t.error[k], unit(store.timed))],
      ['Device', t.how[k].device || '–'],
      ['Taking it cost', missing(t.seconds[k]) ? '–' : text(t.seconds[k], 's')],
    ],
    note: t.note[k]
  };
}

/** Whether the device kept its speed: the reference network over the measurements. */
function reference_plot(part, reference) {
  const t = store.timings;
  const {label: timed, unit: of_time} = store.metric_types[store.timed];
  if (!reference.length)
    return part.nothing(
        'No timings of a reference network: whether the device slowed down on the way ' +
        'cannot be told.');
  const best = reference.reduce((least, k) => Math.min(least, t.value[k]), Infinity);
  const worst = reference.reduce((most, k) => Math.max(most, t.value[k]), 0);
  const series = {
    x: Float64Array.from(reference, (k) => k + 1),
    y: Float64Array.from(reference, (k) => t.value[k]),
    id: reference,
    colour: 'accent'
  };
  const few = reference.length < 200;
  part.plot('reference', {height: 220}).set({
    series: [
      {...series, name: 'reference', kind: 'line', quiet: few},
      ...(few ? [{...series, name: 'reference points', kind: 'points', size: 3}] : [])
    ],
    x: {label: 'Measurement', unit: '', whole: true},
    y: {label: timed + ' of the reference network', unit: of_time},
    tip: (s, i) => {
      const content = timing_tip(s.id[i]);
      if (best > 0)
        content.rows.splice(2, 0, ['Against its best', (s.y[i] / best).toFixed(2) + '×']);
      return content;
    },
    summary: timed + ' of the reference network over the measurements.',
  });
  if (best > 0)
    part.note(
        'The reference network took between ' + text(best, of_time) + ' and ' +
        text(worst, of_time) + ': at most ' + (worst / best).toFixed(2) + ' times its best.');
}

function timings_table() {
  const t = store.timings;
  const latency = column_text(t.value, unit(store.timed));
  return {
    rows: [...t.value.keys()],
    caption: 'Timings in the order taken',
    columns: [
      {title: 'No.', number: true, value: (k) => k + 1, show: (k) => whole(k + 1)},
      {title: 'Network', hash: true, value: (k) => store.names.get(t.id[k]).hash},
      {title: 'Of', value: (k) => t.how[k].reference ? 'reference' : 'network'},
      {
        title: label(store.timed),
        number: true,
        value: (k) => t.value[k],
        show: (k) => latency(t.value[k]),
        error: (k) => t.error[k] ? digits(t.error[k], 2) : ''
      },
      {title: 'Device', value: (k) => t.how[k].device},
      {
        title: 'How',
        value: (k) => t.how[k].fidelity,
        show: (k) => spaced(t.how[k].fidelity),
        wide: true
      },
      {title: 'Note', value: (k) => t.note[k], wide: true},
    ]
  };
}

function timings_section(part) {
  const t = store.timings;
  const {label: timed, unit: of_time} = store.metric_types[store.timed];
  const all = [...t.value.keys()];
  if (!all.length)
    return part.nothing(
        'No latency was measured: ' +
        (store.job.objectives.some((o) => o.metric === store.timed) ?
             (going_on() ? 'the job has not come to it yet.' : 'the job ended before it.') :
             'it is not an objective of this job.'));
  part.lead(
      'Every timing in the order in which it was taken. A reference network is timed again ' +
      'every few measurements: where its time rises, the device was slower (it throttled, or ' +
      'other programs ran), and the timings around it are too long.');
  const of = (reference) =>
      Int32Array.from(all.filter((k) => t.how[k].reference === reference && !missing(t.value[k])));
  const own = of(false);
  if (own.length)
    part.plot('networks', {height: 260}).set({
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
      tip: (s, i) => timing_tip(s.id[i]),
      pick: (k) => choose(store.places.get(t.id[k]) ?? -1),
      summary: timed + ' of ' + plural(own.length, 'timing') + ' in order.',
    });
  reference_plot(part, of(true));
  const failed = all.filter((k) => missing(t.value[k])).length;
  if (failed) part.note(plural(failed, 'timing') + ' failed; the table has the reasons.');
  part.folded('timings', 'All ' + plural(all.length, 'timing'), timings_table);
}

// ---------------------------------------------------------------- sources, facts

const spaced = (how) => how.replace(/,(?! )/g, ', ');  // so that lines can break

function sources_section(part) {
  if (!store.hows.length)
    return part.nothing('No measurement has been recorded' + (going_on() ? ' yet.' : '.'));
  part.lead('Every kind of measurement in this job, and how it was made.');
  const by_name = (a, b) => a.metric < b.metric ? -1 : a.metric > b.metric ? 1 : 0;
  part.table('sources', {
    rows: store.hows.slice().sort(by_name),
    caption: 'Kinds of measurement',
    columns: [
      {title: 'Metric', value: (row) => label(row.metric)},
      {title: 'How', wide: true, value: (row) => row.fidelity, show: (row) => spaced(row.fidelity)},
      {title: 'Device', value: (row) => row.device, wide: true},
      {title: 'Good', number: true, value: (row) => row.good, show: (row) => whole(row.good)},
      {title: 'Failed', number: true, value: (row) => row.failed, show: (row) => whole(row.failed)},
    ]
  });
}

function failures_section(part) {
  part.host.hidden = !store.failures.size;
  if (!store.failures.size) return;
  part.lead('Measurements that failed, the most frequent reason first.');
  part.table('failures', {
    rows: [...store.failures]
              .map(([kind, times]) => [...JSON.parse(kind), times])
              .sort((a, b) => b[2] - a[2]),
    caption: 'Failed measurements',
    columns: [
      {title: 'Metric', value: ([metric]) => label(metric)},
      {title: 'Why', value: ([, why]) => why || 'no reason recorded', wide: true},
      {
        title: 'Times',
        number: true,
        value: ([, , times]) => times,
        show: ([, , times]) => whole(times)
      },
    ]
  });
}

function facts_section(part) {
  const {job} = store;
  part.add(facts_list(job.facts));
  part.keep(
      'config',
      (host) => host.append(make(
          'details', {class: 'config'},
          make(
              'summary', {}, 'Job file',
              ...(job.config_path ? [' ', make('code', {text: job.config_path})] : [])),
          job.config ?
              make('pre', {text: job.config}) :
              make('p', {class: 'missing', text: 'The database holds no text of the job file.'}))));
}

part('header', ['job', 'always'], header_section);
part('front', ['job', 'networks', 'axes'], front_section);
part('network', ['job', 'networks', 'chosen'], network_card);
part('networks', ['job', 'networks', 'chosen'], networks_section);
part('hypervolume', ['job', 'generations'], hypervolume_section);
part('agreement', ['job', 'networks'], agreement_section);
part('training', ['job', 'training'], training_section);
part('timings', ['job', 'networks'], timings_section);
part('failures', ['job', 'networks'], failures_section);
part('sources', ['job', 'networks'], sources_section);
part('facts', ['job', 'always'], facts_section);

function learn(news) {
  draw(take(news).add('always'));
  front_plot?.ring(front_plot.at);
}

if (data.live)
  follow(
      () => '/job.json?name=' + encodeURIComponent(data.live.job) +
          (store.cursor ? '&since=' + store.cursor : ''),
      learn);
else
  learn(data);

'use strict';

/** All that the page knows of its job. Networks are numbered from 0 as they become known. */
const store = {};

function forget() {
  Object.assign(store, {
    cursor: '',
    job: null,
    remarks: [],
    metric_types: {},
    timed: '',         // the metric that timings are of
    names: new Map(),  // of every architecture that was heard of, by id: {arch: [place in parts],
                       // hash}
    parts: [],         // texts that architectures are made of
    part_places: new Map(),
    places: new Map(),  // number of a network, by id
    networks: {id: [], evaluation: []},
    metrics: [],  // as they are shown: {name, values, errors, notes, predicted?, deviations?, by?}
    hows: [],     // {metric, reference, timing, fidelity, device, good, failed}
    failures: new Map(),
    timings: {id: [], how: [], value: [], error: [], seconds: [], note: []},
    training: {step: [], epoch: [], learning_rate: [], examples_per_second: [], metrics: {}},
    generations: {number: [], evaluations: [], hypervolume: [], front: []},
    agreement: [],
    front: [],
    on_front: new Uint8Array(0),
    complete: new Uint8Array(0),    // measured in every objective
    infeasible: new Uint8Array(0),  // complete, and breaks a bound
  });
}
forget();

const count = () => store.networks.id.length;
const arch_of = (id) => store.names.get(id).arch.map((part) => store.parts[part]).join(',');
const arch = (i) => arch_of(store.networks.id[i]);
const hash = (i) => store.names.get(store.networks.id[i]).hash;
const evaluation = (i) => store.networks.evaluation[i];

const label = (name) => store.metric_types[name].label;
const unit = (name) => store.metric_types[name].unit;
const metric_named = (name) => store.metrics.find((metric) => metric.name === name);
const measured = (name, i) => metric_named(name)?.values[i];
/** In a state where more may come. */
const going_on = () => store.job.status === 'running' || store.job.status === 'interrupted';

/** The bounds that a network breaks: a value that was not measured keeps none. */
const sign = (c) => c.upper ? ' ≤ ' : ' ≥ ';
const bound_text = (c) => label(c.metric) + sign(c) + text(c.bound, unit(c.metric));
function broken(i) {
  return store.job.constraints.filter((c) => {
    const value = measured(c.metric, i);
    return missing(value) || (c.upper ? value > c.bound : value < c.bound);
  });
}

/** How a network stands, in words. */
function standing(i) {
  if (!store.job.objectives.length) return '';
  if (store.on_front[i]) return 'On the measured front';
  if (store.infeasible[i]) return 'Breaks ' + list(broken(i).map(bound_text));
  return store.complete[i] ? 'Dominated: another network is better' :
                             'Not measured in every objective';
}

function every(test) {
  const chosen = [];
  for (let i = 0; i < count(); ++i)
    if (test(i)) chosen.push(i);
  return chosen;
}

// ---------------------------------------------------------------- taking in

function place_of(id) {
  let i = store.places.get(id);
  if (i === undefined) {
    i = count();
    store.places.set(id, i);
    store.networks.id.push(id);
    store.networks.evaluation.push(null);
  }
  return i;
}

function metric_to_fill(name) {
  let metric = metric_named(name);
  if (!metric) {
    metric = {name: name, values: [], errors: [], notes: new Map()};
    store.metrics.push(metric);
  }
  return metric;
}

function take_names({parts, id, arch, hash}) {
  const places = parts.map((part) => {
    if (!store.part_places.has(part)) {
      store.part_places.set(part, store.parts.length);
      store.parts.push(part);
    }
    return store.part_places.get(part);
  });
  id.forEach((one, k) => {
    if (!store.names.has(one))
      store.names.set(one, {arch: arch[k].map((part) => places[part]), hash: hash[k]});
  });
}

function take_measurements(rows, given_hows) {
  const hows = given_hows.map((how) => {
    const same = (known) => known.metric === how.metric && known.fidelity === how.fidelity &&
        known.device === how.device;
    let place = store.hows.findIndex(same);
    if (place < 0) place = store.hows.push({...how, good: 0, failed: 0}) - 1;
    return place;
  });
  const suspects = new Set(rows.suspects);
  const t = store.timings;
  let timing = 0;
  rows.value.forEach((value, k) => {
    const how = store.hows[hows[rows.how[k]]];
    const note = rows.notes[k] || '';
    if (how.timing) {
      t.id.push(rows.network[k]);
      t.how.push(how);
      t.value.push(value);
      t.error.push(rows.error[k]);
      t.seconds.push(rows.seconds[timing++]);
      t.note.push(note);
    }
    if (value === null) {
      ++how.failed;
      const kind = JSON.stringify([how.metric, note]);
      store.failures.set(kind, (store.failures.get(kind) || 0) + 1);
      return;
    }
    ++how.good;
    if (how.reference) return;  // of the device, not of the network
    const i = place_of(rows.network[k]);
    const metric = metric_to_fill(how.metric);
    metric.values[i] = value;
    metric.errors[i] = rows.error[k];
    if (suspects.has(k))
      metric.notes.set(i, note);
    else
      metric.notes.delete(i);
  });
}

function take_predictions(rows) {
  rows.mean.forEach((mean, k) => {
    const by = rows.bys[rows.by[k]];
    const metric = metric_to_fill(by.metric);
    if (!metric.predicted) Object.assign(metric, {predicted: [], deviations: [], by: []});
    const i = place_of(rows.network[k]);
    metric.predicted[i] = mean;
    metric.deviations[i] = rows.deviation[k];
    metric.by[i] = by.predictor;
  });
}

const append = (list, more) => {
  for (const value of more) list.push(value);
};

function take_training(rows) {
  const t = store.training;
  const before = t.step.length;
  for (const column of ['step', 'epoch', 'learning_rate', 'examples_per_second'])
    append(t[column], rows[column]);
  for (const [name, values] of Object.entries(rows.metrics)) {
    const all = t.metrics[name] ||= [];
    while (all.length < before) all.push(null);
    append(all, values);
  }
}

/** How all networks stand: after any change of values. */
function judge() {
  const n = count();
  const {objectives, constraints} = store.job;
  store.on_front = new Uint8Array(n);
  for (const i of store.front) store.on_front[i] = 1;
  store.complete = new Uint8Array(n);
  store.infeasible = new Uint8Array(n);
  const columns = objectives.map((o) => metric_named(o.metric)?.values || []);
  if (!columns.length) return;
  for (let i = 0; i < n; ++i)
    store.complete[i] = columns.every((values) => !missing(values[i])) ? 1 : 0;
  if (constraints.length)
    for (let i = 0; i < n; ++i) store.infeasible[i] = store.complete[i] && broken(i).length ? 1 : 0;
}

/**
 * Takes in what job_news() of report/job.cpp says. Gives what changed: a set of 'job', 'networks',
 * 'training', 'generations'.
 */
function take(news) {
  const before = store.job;
  if (news.whole) forget();
  const changed = new Set();
  const standing_of = (job) =>
      job && JSON.stringify([job.status, job.phase, job.message, job.has_models]);
  store.cursor = news.cursor;
  store.job = {...before, ...news.job};
  store.timed = news.timed;
  if (news.whole || standing_of(before) !== standing_of(store.job)) changed.add('job');
  store.remarks = news.remarks;
  for (const [name, type] of Object.entries(news.metric_types))
    store.metric_types[name] = {...type, unit: type.unit || store.metric_types[name]?.unit || ''};
  take_names(news.networks);
  take_measurements(news.measurements, news.hows);
  take_predictions(news.predictions);
  news.evaluations.network.forEach((id, k) => {
    store.networks.evaluation[place_of(id)] = news.evaluations.number[k];
  });
  for (const metric of store.metrics) Object.assign(metric, store.metric_types[metric.name]);
  store.metrics.sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1));
  if (news.front) store.front = news.front.map(place_of);
  if (news.agreement) store.agreement = news.agreement;
  if (news.front || news.evaluations.network.length) {
    changed.add('networks');
    judge();
  }
  take_training(news.training);
  if (news.training.step.length) changed.add('training');
  for (const [column, values] of Object.entries(news.generations))
    append(store.generations[column], values);
  if (news.generations.number.length) changed.add('generations');
  return changed;
}

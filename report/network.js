'use strict';

/** Id of the network that is chosen, or null: kept as the page goes on. */
let chosen_id = null;
const chosen = () => chosen_id === null ? -1 : store.places.get(chosen_id) ?? -1;
const short_hash = (whole_hash) => whole_hash.slice(0, 8);

/** Chooses a network (-1: none): its card is shown, and it is ringed in the front. */
function choose(i) {
  chosen_id = i < 0 || store.networks.id[i] === chosen_id ? null : store.networks.id[i];
  draw(new Set(['chosen']));
  front_plot?.ring(front_plot.at);
  if (chosen_id !== null) section('network').scrollIntoView({block: 'nearest'});
}

/** All that is known of a network. */
function network_tip(i) {
  const rows = [];
  if (!missing(evaluation(i))) rows.push(['Evaluation', whole(evaluation(i))]);
  for (const metric of store.metrics) {
    const value = metric.values[i];
    const note = metric.notes.get(i);
    if (!missing(value)) {
      rows.push([
        metric.label + (metric.predicted ? ', measured' : ''),
        with_error(value, metric.errors[i], metric.unit) + (note ? ' ⚠' : '')
      ]);
      if (note) rows.push(['⚠', note]);
    }
    const guess = metric.predicted?.[i];
    if (!missing(guess))
      rows.push(
          [metric.label + ', predicted', with_error(guess, metric.deviations[i], metric.unit)]);
  }
  return {arch: arch(i), rows: rows, note: standing(i)};
}

/** A text that can be copied. */
const copied = (words, what) =>
    make('div', {class: 'copied'}, make('code', {text: words}), copy_button(words, what));

/** What can be done with a network, as commands. */
function commands_of(i) {
  const {options, has_models} = store.job;
  const commands = [];
  if (has_models)
    commands.push([
      'Hand it over, ready to deploy',
      `mosaic extract ${options} --arch ${hash(i)} --out subnet-${short_hash(hash(i))}`
    ]);
  commands.push(
      ['Where its numbers come from', `mosaic provenance ${hash(i)} ${options}`],
      ['Networks like it', `mosaic nearest ${hash(i)} ${options}`]);
  return commands;
}

/** Metric by metric: what was measured and what was predicted, in words. */
function values_table(i) {
  const rows = [];
  for (const metric of store.metrics) {
    const value = metric.values[i];
    const guess = metric.predicted?.[i];
    if (missing(value) && missing(guess)) continue;
    const note = metric.notes.get(i);
    rows.push(make(
        'tr', {}, make('th', {scope: 'row', text: metric.label}),
        make(
            'td', {},
            missing(value) ? 'not measured' :
                             'measured ' + with_error(value, metric.errors[i], metric.unit),
            ...(note ? [make('div', {class: 'note', text: '⚠ ' + note})] : [])),
        make('td', {
          text: missing(guess) ? '' :
                                 'predicted ' +
                  with_error(guess, metric.deviations[i], metric.unit) + ' by ' + metric.by[i]
        })));
  }
  return make('table', {class: 'values'}, make('tbody', {}, ...rows));
}

function network_card(part) {
  const i = chosen();
  part.host.hidden = i < 0;
  if (i < 0) return;
  const number = evaluation(i);
  part.add(make(
      'div', {class: 'cardhead'},
      make('h3', {}, 'Network ', make('code', {text: short_hash(hash(i)), title: hash(i)})),
      copy_button(hash(i), 'the hash'),
      make('button', {type: 'button', text: 'Close', onclick: () => choose(-1)})));
  part.add(make('p', {
    class: 'lead',
    text: standing(i) +
        (missing(number) ? '' : (standing(i) ? ' · ' : '') + 'evaluation ' + whole(number))
  }));
  part.add(values_table(i));
  part.add(make('p', {class: 'arch', text: arch(i)}));
  for (const [what, command] of commands_of(i)) {
    part.add(make('p', {class: 'note', text: what + ':'}));
    part.add(copied(command, 'the command'));
  }
}

/** Columns of a table of networks: each metric as predicted and as measured, side by side. */
function network_columns(rows) {
  const columns = [
    numbers('Eval.', store.networks.evaluation, whole),
    {title: 'Network', hash: true, value: hash},
    {title: 'Architecture', arch: true, value: arch},
  ];
  for (const metric of store.metrics) {
    const column = (title, values, errors, marked) => {
      const show = column_text(rows.map((i) => values[i]), metric.unit);
      return {
        title: title,
        number: true,
        value: (i) => values[i],
        show: (i) => show(values[i]) + (marked && metric.notes.has(i) ? ' ⚠' : ''),
        error: (i) => errors && errors[i] ? error_behind(values[i], errors[i], metric.unit) : ''
      };
    };
    if (metric.predicted)
      columns.push(column(metric.label + '\npredicted', metric.predicted, metric.deviations));
    if (metric.values.length)
      columns.push(column(
          metric.label + (metric.predicted ? '\nmeasured' : ''), metric.values, metric.errors,
          true));
  }
  return columns;
}

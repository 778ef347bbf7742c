'use strict';

const networks = data.networks;
/** What the plots and the table show of each network. */
const columns = [
  {name: 'Truth', unit: data.truth.unit, mean: networks.truth, deviation: networks.deviation},
  ...data.scores
];
for (const column of columns) column.show = column_text(column.mean, column.unit);

/** A statistic with as many places as its unit asks for. */
function statistic_text(statistic, value) {
  if (missing(value)) return '–';
  if (!statistic.in_truth_unit) return value.toFixed(3);
  return data.truth.unit === '%' ? value.toFixed(2) : digits(value);
}
const kendall = data.statistics[0];

function header_section() {
  section('header').append(
      make('p', {class: 'kind', text: 'Mosaic ranking'}), make('h1', {text: data.job}), facts_list([
        ['Space', data.space], ['Task', data.task], ['Truth', data.truth.description],
        ['Networks', whole(networks.arch.length)], ['Supernet seeds', data.seeds.join(', ')]
      ]));
}

// ---------------------------------------------------------------- statistics

const column_of = (statistic) => ({
  title:
      statistic.title + (statistic.in_truth_unit && data.truth.unit ? ', ' + data.truth.unit : ''),
  help: statistic.meaning,
  number: true
});

/** One row a score: means over seeds, half their interval, the bootstrap of Kendall's tau. */
function statistics_table(id, ranking) {
  const columns = [{title: 'Score', wide: true, value: (score) => score.name}];
  for (const statistic of data.statistics) {
    const of = (score) => score.over_seeds[statistic.key];
    columns.push({
      ...column_of(statistic),
      value: (score) => of(score).mean,
      show: (score) => statistic_text(statistic, of(score).mean),
      error: (score) =>
          missing(of(score).high) ? '' : statistic_text(statistic, of(score).high - of(score).mean)
    });
    if (statistic === kendall)
      columns.push({
        title: 'τ, 95% over networks',
        number: true,
        value: (score) => score.bootstrap.low,
        show: ({bootstrap}) =>
            statistic_text(kendall, bootstrap.low) + ' … ' + statistic_text(kendall, bootstrap.high)
      });
  }
  new Table(section(id), {rows: ranking.scores, columns, caption: 'Statistics of each score'});
}

function statistics_section() {
  lead(
      'statistics',
      'Mean over seeds ± half of its 95% interval (Student\'s t); a score without ± has one value ' +
          'for each network. The interval over networks is a bootstrap of the mean τ with ' +
          plural(data.resamples, 'resample') + '.');
  statistics_table('statistics', data);
  section('statistics')
      .append(
          make(
              'p', {class: 'note'},
              ...data.statistics.flatMap((s) => [make('b', {text: s.title}), `: ${s.meaning}. `])),
          make(
              'ul', {class: 'note'},
              ...data.scores.filter((score) => score.description)
                  .map(
                      (score) => make(
                          'li', {}, make('b', {text: score.name}), ': ' + score.description))));
  const rows = data.scores.filter((score) => score.per_seed[kendall.key].length > 1)
                   .flatMap((score) => data.seeds.map((seed, s) => ({score, seed, s})));
  if (rows.length)
    folded(
        section('statistics'), 'Each seed',
        () => ({
          rows,
          caption: 'Statistics of each seed',
          columns: [
            {title: 'Score', wide: true, value: (row) => row.score.name},
            {title: 'Seed', number: true, value: (row) => row.seed},
            ...data.statistics.map((statistic) => {
              const value = (row) => row.score.per_seed[statistic.key][row.s];
              return {
                ...column_of(statistic),
                value,
                show: (row) => statistic_text(statistic, value(row))
              };
            })
          ]
        }));
}

function best_section() {
  if (!data.best) return section('best').remove();
  lead('best', `The ${plural(data.best.networks.arch.length, 'network')} ranked by themselves.`);
  statistics_table('best', data.best);
}

// ---------------------------------------------------------------- sharing

function sharing_section() {
  if (!data.sharing_places.length) return section('sharing').remove();
  lead(
      'sharing',
      'Layers or decisions where architectures got weights of their own, by what question they ' +
          'went apart and how often it was chosen.');
  const questions = (place) =>
      Object.entries(place.questions).map(([question, times]) => `${question} (${times})`);
  new Table(section('sharing'), {
    rows: data.sharing_places,
    caption: 'Where sharing ended',
    columns: [
      {title: 'Place', wide: true, value: (place) => place.place},
      {
        title: 'Supernets',
        number: true,
        value: (place) => place.supernets,
        show: (place) => place.supernets + ' of ' + data.sharing.length
      },
      {
        title: 'Chosen as number',
        number: true,
        value: (place) => place.order,
        show: (place) => place.order.toFixed(1)
      },
      {title: 'Questions', wide: true, value: (place) => questions(place).join('; ')},
    ]
  });
}

// ---------------------------------------------------------------- plots

const network_tip = (i) => ({
  arch: networks.arch[i],
  rows: columns.map((c) => [c.name, with_error(c.mean[i], c.deviation[i], c.unit)])
});

/** The first of these networks whose value is greatest. */
const greatest = (ids, value) => ids.reduce((best, i) => value(i) > value(best) ? i : best, ids[0]);

function scatter(parent, score) {
  const ids = [...networks.arch.keys()].filter((i) => !missing(score.mean[i]));
  const sign = score.higher_is_better ? 1 : -1;
  const of = (name, chosen, look) => ({
    name,
    kind: 'points',
    id: Int32Array.from(chosen),
    x: Float64Array.from(chosen, (i) => score.mean[i]),
    y: Float64Array.from(chosen, (i) => networks.truth[i]),
    ...look
  });
  const truth_sign = data.truth.higher_is_better === false ? -1 : 1;
  const best = ids.length ? [greatest(ids, (i) => truth_sign * networks.truth[i])] : [];
  const pick = ids.length ? [greatest(ids, (i) => sign * score.mean[i])] : [];
  const plot = new Plot(parent, {height: 340});
  plot.set({
    series: [
      of('networks', ids, {colour: 'accent', size: ids.length > 300 ? 2.5 : 3.5}),
      of('best truth', best, {colour: 'ink', shape: 'ring', size: 6.5, width: 1.75, quiet: true}),
      of('best score', pick, {colour: 'warn', shape: 'dashed', size: 9, width: 1.75, quiet: true}),
    ],
    x: {label: score.name, unit: score.unit, better: score.higher_is_better ? '' : 'lower'},
    y: {label: 'Truth', unit: data.truth.unit, better: truth_sign > 0 ? '' : 'lower'},
    diagonal: score.same_scale,
    tip: (series, i) => network_tip(series.id[i]),
    pointed: (id) => plots.filter((other) => other !== plot).forEach((other) => other.follow(id)),
    summary: `Truth against ${score.name} of ${plural(ids.length, 'network')}.`,
  });
  const left = networks.arch.length - ids.length;
  if (left)
    parent.append(make('p', {class: 'note', text: `${whole(left)} not drawn: score is infinite.`}));
}

function plots_section() {
  lead(
      'plots',
      'Each dot is a network, with its mean over seeds. The ring marks the best truth, the dashed ' +
          'ring the best mean score. ',
      make('span', {class: 'mouse', text: 'Point at a network to see it in every plot.'}));
  const grid = make('div', {class: 'plots'});
  section('plots').append(grid);
  for (const score of data.scores) {
    const tau = statistic_text(kendall, score.over_seeds[kendall.key].mean);
    const figure =
        make('figure', {}, make('figcaption', {}, score.name, make('span', {text: ' τ ' + tau})));
    grid.append(figure);
    scatter(figure, score);
  }
}

function networks_section() {
  folded(
      section('networks'), 'Numbers',
      () => ({
        rows: networks.arch.keys(),
        caption: 'Truth and scores of each network',
        sort: 1,
        descending: true,
        columns: [
          {title: 'Architecture', arch: true, value: (i) => networks.arch[i]},
          ...columns.map(
              (c) => ({
                title: c.name,
                number: true,
                value: (i) => c.mean[i],
                show: (i) => c.show(c.mean[i]),
                error: (i) =>
                    missing(c.deviation[i]) ? '' : error_behind(c.mean[i], c.deviation[i], c.unit)
              }))
        ]
      }));
}

fill([
  header_section, statistics_section, best_section, sharing_section, plots_section, networks_section
]);

'use strict';

/** The jobs of a database, the latest first. */
let known = null;

part('header', ['jobs'], (part) => {
  part.add(make('p', {class: 'kind', text: 'Mosaic'}));
  part.add(make('h1', {text: known.database}));
  part.add(make('p', {id: 'summary', text: plural(known.jobs.length, 'job')}));
});

part('jobs', ['jobs'], (part) => {
  if (!known.jobs.length)
    return part.nothing(
        'The database holds no job yet: mosaic run JOB.toml --db DATABASE makes one.');
  for (const job of known.jobs.slice().reverse())
    part.add(make(
        'article', {class: 'job'},
        make(
            'h2', {},
            make('a', {href: '/job?name=' + encodeURIComponent(job.name), text: job.name}), ' ',
            chip(job.status)),
        make('p', {
          class: 'note',
          text: [
            job.space, job.task, job.objectives, plural(job.evaluations, 'evaluation'), job.device,
            'begun ' + job.created
          ].filter(Boolean)
                    .join(' · ')
        }),
        job.progress && progress_bar(job.progress),
        job.message ? make('p', {class: 'message', text: job.message}) : null));
});

follow(() => '/jobs.json', (news) => {
  known = news;
  draw(new Set(['jobs']));
});

'use strict';

/**
 * A section that is drawn again whenever its numbers change. What is the same as before is left
 * alone: plots keep their zoom, tables their order, and nobody loses what was focused or selected.
 */
class Part {
  constructor(id) {
    this.host = section(id);
    this.fixed = [...this.host.children];
    this.kept = new Map();
  }

  /** fill: adds what the section shows, in order. */
  draw(fill) {
    this.list = [...this.fixed];
    this.taken = new Set(this.fixed);
    this.before = [...this.host.children];
    this.next = 0;  // of those: after the one that was taken last
    fill(this);
    for (const child of [...this.host.children])
      if (!this.taken.has(child)) child.remove();
    let there = this.host.firstElementChild;
    for (const element of this.list)
      if (element === there)
        there = there.nextElementSibling;
      else
        this.host.insertBefore(element, there);
  }

  take(element) {
    this.list.push(element);
    this.taken.add(element);
  }

  /** An element without a life of its own: one that is there already and the same stays. */
  add(element) {
    const same = (child) => !this.taken.has(child) && child.isEqualNode(element);
    while (this.taken.has(this.before[this.next])) ++this.next;
    // Mostly it stands where it stood: looking through all for each would take long.
    const here = this.next < this.before.length && same(this.before[this.next]);
    const place = here ? this.next : this.before.findIndex(same);
    if (place >= 0) this.next = place + 1;
    this.take(place >= 0 ? this.before[place] : element);
  }
  lead(...words) {
    this.add(make('p', {class: 'lead'}, ...words));
  }
  note(words) {
    if (words) this.add(make('p', {class: 'note', text: words}));
  }
  head(words) {
    this.add(make('h3', {text: words}));
  }
  /** Why there is nothing to show. */
  nothing(words) {
    this.add(make('p', {class: 'missing', text: words}));
  }

  /** What is made once, in an element of its own, and then kept. */
  keep(key, made) {
    if (!this.kept.has(key)) {
      const host = make('div', {class: 'kept'});
      this.host.append(host);  // so that it knows its width
      this.kept.set(key, {host: host, value: made(host)});
    }
    const {host, value} = this.kept.get(key);
    if (!host.isConnected) this.host.append(host);
    this.take(host);
    return value;
  }
  plot(key, options) {
    return this.keep('plot ' + key, (host) => new Plot(host, options));
  }
  /** options: as Table takes them. */
  table(key, options) {
    this.keep('table ' + key, (host) => new Table(host, options)).update(options);
  }
  /** A table under a title, made when it is first unfolded. options(): as Table takes them. */
  folded(key, title, options) {
    const fold = this.keep('folded ' + key, (host) => {
      const made = {options: options, table: null, summary: make('summary')};
      made.details = make('details', {}, made.summary);
      made.details.addEventListener('toggle', () => {
        if (made.details.open) made.show();
      });
      made.show = () => {
        if (made.table)
          made.table.update(made.options());
        else
          made.table = new Table(made.details, made.options());
      };
      host.append(made.details);
      return made;
    });
    fold.options = options;
    fold.summary.textContent = title;
    if (fold.details.open) fold.show();
  }
}

/** A part of the page: its section, what it depends on, and how it is drawn. */
const parts = [];
function part(id, needs, fill) {
  parts.push({part: new Part(id), needs: needs, fill: fill, name: id});
}

/**
 * Draws all parts that depend on something that changed, or were broken; one that is leaves the
 * others.
 */
function draw(changed) {
  for (const one of parts) {
    if (!one.broken && !one.needs.some((kind) => changed.has(kind))) continue;
    try {
      one.part.draw(one.fill);
      if (one.broken) mended(one.name);
      one.broken = false;
    } catch (error) {
      one.broken = true;
      report_error(one.name, error);
    }
  }
}

/** {label, done, total, seconds_left, note}: how far a running job is. */
function progress_bar({label, done, total, seconds_left, note}) {
  const left = missing(seconds_left) ? [] : ['about ' + duration(seconds_left) + ' left'];
  const words = [label + ': ' + whole(done) + ' of ' + whole(total), ...left, note];
  return make(
      'div', {class: 'progress'},
      make('progress', {max: Math.max(1, total), value: done, 'aria-label': label}),
      make('span', {text: words.filter(Boolean).join(' · ')}));
}

// ---------------------------------------------------------------- live

/**
 * Asks for address() and gives the answers to `take`, again and again while the page is seen. An
 * answer that took long is not asked for again soon: the machine that searches has better things to
 * do.
 */
function follow(address, take) {
  const words = make('p', {class: 'broken', role: 'status', hidden: ''});
  section('header').before(words);
  let tag = '';
  let timer = 0;
  let asking = false;
  async function ask() {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    const began = performance.now();
    try {
      const answer =
          await fetch(address(), {cache: 'no-store', headers: tag ? {'If-None-Match': tag} : {}});
      if (answer.status === 200) {
        const news = await answer.json();
        take(news);
        tag = answer.headers.get('ETag') || '';
      } else if (answer.status !== 304) {
        throw new Error(await answer.text());
      }
      words.hidden = true;
      document.documentElement.dataset.answers =
          Number(document.documentElement.dataset.answers || 0) + 1;
    } catch (error) {
      words.textContent = error instanceof TypeError ?
          'mosaic serve does not answer: this is what was known last. Start it again to go on.' :
          error.message;
      words.hidden = false;
    }
    asking = false;
    const pause = Math.min(15000, Math.max(1500, 10 * (performance.now() - began)));
    timer = setTimeout(() => document.hidden ? 0 : ask(), pause);
  }
  document.addEventListener('visibilitychange', () => document.hidden ? 0 : ask());
  ask();
}

'use strict';

/** A button that copies a text; `what` it is, for those who hear the page. */
function copy_button(value, what) {
  const button = make('button', {
    type: 'button',
    text: 'Copy',
    'aria-label': 'Copy ' + what,
    onclick: (event) => {
      event.stopPropagation();
      copy(value, button);
    }
  });
  return button;
}

async function copy(value, button) {
  let done = true;
  try {
    await navigator.clipboard.writeText(value);
  } catch {  // older browsers, and pages opened where there is no clipboard
    const area = make('textarea', {});
    area.value = value;
    document.body.append(area);
    area.select();
    done = document.execCommand('copy');
    area.remove();
  }
  button.textContent = done ? 'Copied' : 'Select and copy by hand';
  setTimeout(() => {
    button.textContent = 'Copy';
  }, 1400);
}

/**
 * A table sorted by a click on its heads, some rows at a time.
 * columns: [{title, value(i) -> number|string|null, show?(i) -> string, error?(i), number, arch,
 * hash, wide, help}] rows: a list of whatever `value` takes. point?(row), and point(null): the
 * mouse is over a row, and left it. pick?(row): it is clicked. chosen?(): the row that is.
 */
class Table {
  constructor(parent, options) {
    Object.assign(this, {page: 50, sort: null, descending: false, first: 0}, options);
    this.head = make('tr');
    this.body = make('tbody');
    const caption = make('caption', {class: 'spoken', text: this.caption || ''});
    parent.append(make(
        'div', {class: 'scroll'},
        make('table', {class: 'data'}, caption, make('thead', {}, this.head), this.body)));
    this.where = make('span');
    this.back = make('button', {type: 'button', text: 'Previous', onclick: () => this.turn(-1)});
    this.next = make('button', {type: 'button', text: 'Next', onclick: () => this.turn(1)});
    this.pager = make('div', {class: 'pager'}, this.back, this.next, this.where);
    parent.append(this.pager);
    this.sorted = this.sort;
    this.update(options);
  }

  /** Shows other rows, or others too, in the order and on the page that was chosen. */
  update(options) {
    Object.assign(this, options);
    this.rows = Array.from(options.rows);
    const titles = this.columns.map((column) => column.title).join('\n\n');
    if (titles !== this.titles) {
      if (this.titles !== undefined) this.sorted = null;
      this.head.replaceChildren(...this.columns.map((column, c) => {
        const button =
            make('button', {type: 'button', text: column.title, onclick: () => this.sort_by(c)});
        if (column.help) button.title = column.help;
        return make('th', {scope: 'col', class: column.number ? 'num' : ''}, button);
      }));
    }
    this.titles = titles;
    this.arrange();
  }

  sort_by(c, descending) {
    const again = this.sorted === c;
    this.descending = descending !== undefined ? descending : again ? !this.descending : false;
    this.sorted = c;
    this.first = 0;
    this.arrange();
  }

  /** Puts the rows into the order that was chosen. */
  arrange() {
    const c = this.sorted;
    this.order = this.rows;
    if (c === null) return this.fill();
    const value = this.columns[c].value;
    const keyed = this.rows.map((row, place) => ({row: row, key: value(row), place: place}));
    const sign = this.descending ? -1 : 1;
    const empty = (key) => key === null || key === undefined || key === '';
    keyed.sort((a, b) => {
      if (empty(a.key) || empty(b.key)) return empty(a.key) - empty(b.key) || a.place - b.place;
      if (a.key === b.key) return a.place - b.place;
      return (a.key < b.key ? -1 : 1) * sign;
    });
    this.order = keyed.map((entry) => entry.row);
    [...this.head.children].forEach((head, k) => {
      if (k === c)
        head.setAttribute('aria-sort', this.descending ? 'descending' : 'ascending');
      else
        head.removeAttribute('aria-sort');
    });
    this.fill();
  }

  turn(by) {
    this.first = Math.max(0, Math.min(this.first + by * this.page, this.rows.length - 1));
    this.fill();
  }

  cell(column, row) {
    if (column.hash) {
      const whole_hash = column.value(row);
      const shown = {class: 'hash', title: whole_hash, text: whole_hash.slice(0, 8)};
      const name = this.pick ?
          make('button', {...shown, type: 'button', 'aria-label': 'Show network ' + whole_hash}) :
          make('span', shown);
      return make(
          'td', {}, make('div', {class: 'archcell'}, name, copy_button(whole_hash, 'the hash')));
    }
    if (column.arch) {
      const name = column.value(row);
      const folded = make('span', {class: 'arch', title: name, text: name});
      return make('td', {}, make('div', {class: 'archcell'}, folded, ...(this.pick ? [] : [
                                   copy_button(name, 'the architecture')
                                 ])));
    }
    const value = column.value(row);
    const nothing = value === null || value === undefined || value === '';
    const shown = nothing ? '–' : column.show ? column.show(row) : String(value);
    const cell = make(
        'td', {class: (column.number ? 'num' : '') + (column.wide ? ' wide' : ''), text: shown});
    const error = column.error && !nothing ? column.error(row) : null;
    if (error) cell.append(make('span', {class: 'pm', text: ' ± ' + error}));
    return cell;
  }

  line(row) {
    const line = make('tr', {}, ...this.columns.map((column) => this.cell(column, row)));
    if (this.point) {
      line.addEventListener('mouseenter', () => this.point(row));
      line.addEventListener('mouseleave', () => this.point(null));
    }
    if (this.pick) {
      line.addEventListener('click', () => this.pick(row));
      line.classList.add('pick');
      if (this.chosen && this.chosen() === row) {
        line.classList.add('marked');
        line.setAttribute('aria-current', 'true');
      }
    }
    return line;
  }

  fill() {
    this.first = Math.min(this.first, Math.max(0, this.order.length - 1));
    const last = Math.min(this.first + this.page, this.order.length);
    const lines = this.order.slice(this.first, last).map((row) => this.line(row));
    // Rows that are as they were stay: whoever points at one, or selects its text, goes on.
    lines.forEach((line, k) => {
      const there = this.body.children[k];
      if (!there)
        this.body.append(line);
      else if (!there.isEqualNode(line))
        there.replaceWith(line);
    });
    while (this.body.children.length > lines.length) this.body.lastChild.remove();
    this.pager.hidden = this.order.length <= this.page;
    this.pager.style.display = this.pager.hidden ? 'none' : '';
    this.where.textContent =
        whole(this.first + 1) + '–' + whole(last) + ' of ' + whole(this.order.length);
    this.back.disabled = this.first === 0;
    this.next.disabled = last >= this.order.length;
  }
}

/** A column of numbers that stand in a list by row. */
const numbers = (title, values, show = (value) => digits(value)) =>
    ({title, number: true, value: (row) => values[row], show: (row) => show(values[row])});

/** A table made when it is first unfolded. */
function folded(parent, title, options) {
  const details = make('details', {}, make('summary', {text: title}));
  let table = null;
  details.addEventListener('toggle', () => {
    if (details.open && !table) table = new Table(details, options());
  });
  parent.append(details);
}

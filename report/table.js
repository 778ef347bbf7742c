'use strict';

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
 * wide, help}] rows: a list of whatever `value` takes.
 */
class Table {
  constructor(parent, options) {
    Object.assign(this, {page: 50, sort: null, descending: false, first: 0}, options);
    this.rows = Array.from(options.rows);
    this.order = this.rows;
    this.head = make('tr');
    this.body = make('tbody');
    this.buttons = this.columns.map((column, c) => {
      const button =
          make('button', {type: 'button', text: column.title, onclick: () => this.sort_by(c)});
      if (column.help) button.title = column.help;
      this.head.append(make('th', {scope: 'col', class: column.number ? 'num' : ''}, button));
      return button;
    });
    const caption = make('caption', {class: 'spoken', text: this.caption || ''});
    parent.append(make(
        'div', {class: 'scroll'},
        make('table', {class: 'data'}, caption, make('thead', {}, this.head), this.body)));
    this.where = make('span');
    this.back = make('button', {type: 'button', text: 'Previous', onclick: () => this.turn(-1)});
    this.next = make('button', {type: 'button', text: 'Next', onclick: () => this.turn(1)});
    this.pager = make('div', {class: 'pager'}, this.back, this.next, this.where);
    parent.append(this.pager);
    if (this.sort !== null)
      this.sort_by(this.sort, this.descending);
    else
      this.fill();
  }

  sort_by(c, descending) {
    const again = this.sorted === c;
    this.descending = descending !== undefined ? descending : again ? !this.descending : false;
    this.sorted = c;
    this.first = 0;
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
    if (column.arch) {
      const name = column.value(row);
      const button =
          make('button', {type: 'button', text: 'Copy', 'aria-label': 'Copy the architecture'});
      button.addEventListener('click', () => copy(name, button));
      return make(
          'td', {},
          make(
              'div', {class: 'archcell'}, make('span', {class: 'arch', title: name, text: name}),
              button));
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

  fill() {
    const last = Math.min(this.first + this.page, this.order.length);
    this.body.replaceChildren(...this.order.slice(this.first, last).map((row) => {
      const line = make('tr', {}, ...this.columns.map((column) => this.cell(column, row)));
      if (this.point) {
        line.addEventListener('mouseenter', () => this.point(row));
        line.addEventListener('mouseleave', () => this.point(null));
      }
      return line;
    }));
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

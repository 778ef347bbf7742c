'use strict';

/**
 * What the page shows: see job_news() in report/job.cpp, and to_json() of a ranking. Of a live
 * page: what it follows.
 */
const data = JSON.parse(document.getElementById('data').textContent);

/** An element. attributes: class, text, onEVENT, or as in HTML; children: elements, text, null. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'class')
      element.className = value;
    else if (name === 'text')
      element.textContent = value;
    else if (name.startsWith('on'))
      element.addEventListener(name.slice(2), value);
    else
      element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const section = (id) => document.getElementById(id);
const lead = (id, ...words) => section(id).append(make('p', {class: 'lead'}, ...words));

const chip = (status) => make('span', {class: 'status', 'data-status': status, text: status});

/** Names and values: what needs to be known to know where the numbers are from. */
const facts_list = (facts) => make(
    'dl', {class: 'facts'},
    ...facts.filter((fact) => fact[1] !== '')
        .map(([name,
               value]) => make('div', {}, make('dt', {text: name}), make('dd', {text: value}))));

/** Says that a part of the page is broken, until it is mended(); the rest of it stays. */
function report_error(part, error) {
  const event = new ErrorEvent('error', {message: part + ': ' + error.message, error: error});
  event.part = part;
  dispatchEvent(event);
}

/** Fills the page, section by section: one that is broken leaves the others standing. */
function fill(sections) {
  for (const fill_section of sections) {
    try {
      fill_section();
    } catch (error) {
      report_error(fill_section.name, error);
    }
  }
}

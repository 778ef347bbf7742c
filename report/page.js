'use strict';

/** What the page shows: see report/job.cpp, and to_json() of a ranking. */
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
/** Why a section has nothing to show. */
const nothing = (id, words) => section(id).append(make('p', {class: 'missing', text: words}));

/**
 * The top of the page: names and values of everything needed to know where its numbers are from.
 */
function header(kind, title, status, facts) {
  const chip =
      status ? [' ', make('span', {class: 'status', 'data-status': status, text: status})] : [];
  section('header').append(
      make('p', {class: 'kind', text: kind}), make('h1', {}, title, ...chip),
      make(
          'dl', {class: 'facts'},
          ...facts.filter((fact) => fact[1] !== '')
              .map(
                  ([name, value]) =>
                      make('div', {}, make('dt', {text: name}), make('dd', {text: value})))));
}

/** Fills the page, section by section: one that is broken leaves the others standing. */
function fill(sections) {
  for (const fill_section of sections) {
    try {
      fill_section();
    } catch (error) {
      dispatchEvent(new ErrorEvent(
          'error', {message: fill_section.name + ': ' + error.message, error: error}));
    }
  }
}

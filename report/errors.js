'use strict';

// In a script of its own, so that it says even that the others cannot be read.
window.errors = [];
addEventListener('error', (event) => {
  window.errors.push(String(event.message));
  document.documentElement.dataset.errors = window.errors.join('; ');
  const note = document.createElement('p');
  note.className = 'broken';
  note.textContent = 'Part of this page could not be drawn: ' + event.message;
  (document.querySelector('main') || document.body).append(note);
});

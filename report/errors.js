'use strict';

// In a script of its own, so that it says even that the others cannot be read.
window.errors = [];
addEventListener('error', (event) => {
  window.errors.push(String(event.message));
  document.documentElement.dataset.errors = window.errors.join('; ');
  const note = document.createElement('p');
  note.className = 'broken';
  note.textContent = 'Part of this page could not be drawn: ' + event.message;
  if (event.part) {
    mended(event.part);
    note.dataset.part = event.part;
  }
  (document.querySelector('main') || document.body).append(note);
});

/** A part is drawn again: what was said of it goes. */
function mended(part) {
  for (const note of document.querySelectorAll('.broken[data-part]'))
    if (note.dataset.part === part) note.remove();
}

"use strict";
// What the theme leaves out for who has no mouse, and for who prints.

// A box that scrolls can be reached by the keyboard, and has a name; one that does not is no stop.
function nameScrollingBoxes() {
  const boxes = document.querySelectorAll(".md-typeset pre > code, .md-typeset__scrollwrap");
  for (const box of boxes) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", box.matches("code") ? "Code, scrolls" : "Table, scrolls");
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
}
new ResizeObserver(nameScrollingBoxes).observe(document.body);
// The theme wraps tables when it starts, and sets tabindex on code of its own accord.
new MutationObserver(nameScrollingBoxes).observe(document.querySelector(".md-content"), {
  childList: true, subtree: true
});

// The buttons of the menu, the search and the sections open what the theme's check boxes open.
for (const button of document.querySelectorAll("button[data-toggles]")) {
  const toggle = document.getElementById(button.dataset.toggles);
  const tell = () => button.setAttribute("aria-expanded", toggle.checked);
  button.addEventListener("click", () => toggle.click());
  toggle.addEventListener("change", tell);
  tell();
}

// Answers are printed, whether they were open or not.
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const answer of opened) answer.open = true;
});
window.addEventListener("afterprint", () => {
  for (const answer of opened) answer.open = false;
});

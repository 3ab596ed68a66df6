"use strict";
// Before anything is drawn: that scripts run, and the theme the reader has chosen.
document.documentElement.classList.add("js");
{
  const NEXT = { auto: "light", light: "dark", dark: "auto" };
  // A file from disk may have no storage; then the choice lasts as long as the page.
  const remembered = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const remember = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* not kept */ } };
  const show = (theme) => { document.documentElement.dataset.theme = theme; };
  show(NEXT[remembered()] ? remembered() : "auto");
  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector(".theme");
    const say = () => { button.textContent = `Theme: ${document.documentElement.dataset.theme}`; };
    button.addEventListener("click", () => {
      const theme = NEXT[document.documentElement.dataset.theme];
      remember(theme);
      show(theme);
      say();
    });
    say();
  });
}
